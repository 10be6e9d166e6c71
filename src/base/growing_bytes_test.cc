#include "base/growing_bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace fanfare {
namespace {

constexpr std::size_t kMapped = GrowingBytes::kMappedFromBytes;

// Pieces of many sizes, through the border between the two kinds of memory.
std::string grown(GrowingBytes& bytes, std::size_t until) {
  std::string expected;
  for (std::size_t piece = 1; bytes.size() < until; piece = piece * 3 + 1) {
    const std::string text(piece % 50'000, static_cast<char>('a' + piece % 26));
    bytes.append(as_bytes(text));
    expected += text;
  }
  return expected;
}

TEST(GrowingBytes, KeepsWhatWasAppended) {
  for (const std::size_t until : {std::size_t{1}, std::size_t{5000}, kMapped - 1, kMapped, 9 * kMapped}) {
    GrowingBytes bytes;
    const std::string expected = grown(bytes, until);
    EXPECT_EQ(as_text(std::as_const(bytes).bytes()), expected) << until;
    EXPECT_GE(bytes.capacity(), bytes.size());
  }
}

TEST(GrowingBytes, AppendingNothingToNothingTakesNoMemory) {
  GrowingBytes bytes;
  bytes.append({});
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(bytes.capacity(), 0U);
}

TEST(GrowingBytes, DoublesSoThatGrowingIsRare) {
  GrowingBytes bytes;
  const std::string piece(1000, 'x');
  unsigned grown_times = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::size_t before = bytes.capacity();
    bytes.append(as_bytes(piece));
    grown_times += bytes.capacity() > before ? 1 : 0;
  }
  EXPECT_LE(grown_times, 14U);
}

TEST(GrowingBytes, ReserveAtTheBorderOfTheTwoKinds) {
  for (const std::size_t first : {kMapped - 1, kMapped, kMapped + 1}) {
    GrowingBytes bytes;
    bytes.reserve(first);
    EXPECT_GE(bytes.capacity(), first);
    bytes.append(as_bytes("text"));
    bytes.reserve(2 * kMapped);
    bytes.reserve(1);
    EXPECT_GE(bytes.capacity(), 2 * kMapped);
    EXPECT_EQ(as_text(std::as_const(bytes).bytes()), "text");
  }
}

TEST(GrowingBytes, ClearKeepsTheMemoryAndReleaseFreesIt) {
  GrowingBytes bytes;
  grown(bytes, 2 * kMapped);
  const std::size_t capacity = bytes.capacity();
  bytes.clear();
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(bytes.capacity(), capacity);
  bytes.release();
  EXPECT_EQ(bytes.capacity(), 0U);
  bytes.append(as_bytes("again"));
  EXPECT_EQ(as_text(std::as_const(bytes).bytes()), "again");
}

TEST(GrowingBytes, MovesItsMemory) {
  GrowingBytes first;
  const std::string expected = grown(first, kMapped);
  GrowingBytes second(std::move(first));
  GrowingBytes third;
  third.append(as_bytes("small"));
  third = std::move(second);
  EXPECT_EQ(as_text(std::as_const(third).bytes()), expected);
}

}  // namespace
}  // namespace fanfare
