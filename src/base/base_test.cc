#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/log.h"
#include "base/random.h"
#include "base/shared_bytes.h"
#include "base/time.h"

namespace fanfare {
namespace {

TEST(CopyBytes, CopiesEverySizeAndNoByteMore) {
  for (std::size_t size = 0; size <= 100; ++size) {
    std::vector<std::uint8_t> from(size);
    for (std::size_t i = 0; i < size; ++i) from[i] = static_cast<std::uint8_t>(i + 1);
    std::vector<std::uint8_t> to(size + 2, 0xEE);
    copy_bytes(to.data() + 1, from.data(), size);
    EXPECT_TRUE(std::equal(from.begin(), from.end(), to.begin() + 1)) << size;
    EXPECT_EQ(to.front(), 0xEE) << size;
    EXPECT_EQ(to.back(), 0xEE) << size;
  }
}

TEST(SharedBytes, CopiesShareTheSameMemory) {
  const SharedBytes one(as_bytes("fanfare"));
  const SharedBytes two = one;
  EXPECT_EQ(one.view().data(), two.view().data());
  EXPECT_EQ(as_text(two.view()), "fanfare");
}

TEST(SharedBytes, OutlivesTheFirstOwner) {
  SharedBytes kept;
  {
    const SharedBytes first =
        SharedBytes::filled(3, [](MutableBytes room) { std::memcpy(room.data(), "abc", 3); });
    kept = first;
  }
  EXPECT_EQ(as_text(kept.view()), "abc");
}

TEST(SharedBytes, EmptyIsEmpty) {
  EXPECT_TRUE(SharedBytes().empty());
  EXPECT_TRUE(SharedBytes(Bytes{}).empty());
}

TEST(SharedBytes, ManyThreadsMayDropTheirCopies) {
  const SharedBytes bytes(as_bytes("shared"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([copy = bytes] {
      for (int k = 0; k < 1000; ++k) {
        const SharedBytes again =
            copy;  // NOLINT(performance-unnecessary-copy-initialization): the copy is the test
        EXPECT_EQ(again.size(), 6U);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(SeededRandom, SameSeedSameBytes) {
  SeededRandom one(7);
  SeededRandom two(7);
  SeededRandom other(8);
  const auto first = one.next_u64();
  EXPECT_EQ(first, two.next_u64());
  EXPECT_NE(first, other.next_u64());
}

TEST(SystemRandom, DoesNotRepeat) {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random.next_u64());
  EXPECT_EQ(seen.size(), 100U);
}

TEST(Random, BelowStaysBelow) {
  SeededRandom random(1);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(random.below(3));
  EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2}));
}

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock;
  const Instant before = clock.now();
  EXPECT_EQ(clock.now(), before);
  clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(clock.now() - before, std::chrono::seconds(2));
}

TEST(Log, ValuesCannotForgeALine) {
  std::string line;
  log::append_value(line, "http://127.0.0.1:8545");
  EXPECT_EQ(line, "http://127.0.0.1:8545");
  line.clear();
  log::append_value(line, "a\nb \"c\"");
  EXPECT_EQ(line, R"("a\x0ab \"c\"")");
  line.clear();
  log::append_value(line, "");
  EXPECT_EQ(line, "\"\"");
}

}  // namespace
}  // namespace fanfare
