#include "canvasserver/snapshot_parts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "canvasserver/shared_log.h"

namespace fanfare::canvasserver {
namespace {

// Of several parts, since random bytes do not become shorter.
Snapshot snapshot(std::uint64_t id, const Position& position) {
  Snapshot made{.head = {.id = id, .is_based = true, .position = position}, .copy = {}};
  std::uint32_t state = static_cast<std::uint32_t>(id) + 1;
  for (std::size_t i = 0; i < 2 * kSnapshotPartBytes; ++i) {
    state = state * 1664525U + 1013904223U;
    made.copy.push_back(static_cast<std::uint8_t>(state >> 24U));
  }
  return made;
}

// Returns what the last part's add() says. `flipped`: a bit of the last part's last byte.
std::optional<Position> add(SnapshotReader& reader, const Snapshot& added, bool flipped = false) {
  const std::vector<SharedBytes> parts = parts_of(added);
  EXPECT_GT(parts.size(), 1U);
  std::optional<Position> damaged;
  for (const SharedBytes& part : parts) {
    EXPECT_FALSE(damaged);
    std::vector<std::uint8_t> bytes(part.view().begin(), part.view().end());
    if (flipped && &part == &parts.back()) bytes.back() ^= 1U;
    damaged = reader.add(bytes);
  }
  return damaged;
}

std::uint64_t latest_id(const SnapshotReader& reader) {
  const auto latest = reader.latest();
  return latest ? latest->head.id : 0;
}

TEST(SnapshotReader, TheOneThatGoesOnFurthestIsTheLatest) {
  SnapshotReader reader;
  EXPECT_FALSE(reader.latest());
  const Snapshot first = snapshot(1, {.epoch = 5, .offset = 10});
  const Snapshot second = snapshot(2, {.epoch = 5, .offset = 20});
  EXPECT_FALSE(add(reader, first));
  EXPECT_EQ(reader.latest()->copy, first.copy);
  EXPECT_FALSE(add(reader, second));
  EXPECT_EQ(reader.latest()->copy, second.copy);
  EXPECT_FALSE(add(reader, snapshot(3, {.epoch = 6, .offset = 1})));
  EXPECT_EQ(latest_id(reader), 3U);
}

TEST(SnapshotReader, ADamagedOneIsNamedAndTheOneBeforeItIsStillThere) {
  SnapshotReader reader;
  const Snapshot intact = snapshot(1, {.epoch = 5, .offset = 10});
  EXPECT_FALSE(add(reader, intact));
  const Position same_epoch{.epoch = 5, .offset = 20};
  EXPECT_EQ(add(reader, snapshot(2, same_epoch), true), same_epoch);
  const Position next_epoch{.epoch = 6, .offset = 1};
  EXPECT_EQ(add(reader, snapshot(3, next_epoch), true), next_epoch);
  ASSERT_TRUE(reader.latest());
  EXPECT_EQ(reader.latest()->copy, intact.copy);
  EXPECT_FALSE(reader.find(2));
  EXPECT_TRUE(reader.find(1));
}

// What it says of itself is not what it is: its size, or its end.
TEST(SnapshotReader, OneOfAnotherSizeIsDamaged) {
  constexpr std::size_t kSizeAt =
      28;  // behind the 11 bytes of a part's head, and the 17 of "is based", epoch and offset
  for (const int size : {0, 1, 3, 255}) {
    SnapshotReader reader;
    Snapshot made{.head = {.id = 7, .is_based = true, .position = {.epoch = 5, .offset = 9}}, .copy = {1, 2}};
    const std::vector<SharedBytes> parts = parts_of(made);
    ASSERT_EQ(parts.size(), 1U);
    std::vector<std::uint8_t> bytes(parts[0].view().begin(), parts[0].view().end());
    const auto at = std::ranges::find(bytes.begin() + kSizeAt, bytes.end(), 2);
    ASSERT_EQ(*at, 2);
    *at = static_cast<std::uint8_t>(size);
    EXPECT_EQ(reader.add(bytes), made.head.position) << size;
    EXPECT_FALSE(reader.latest());
  }
  SnapshotReader reader;
  const std::vector<SharedBytes> parts =
      parts_of({.head = {.id = 7, .is_based = true, .position = {.epoch = 5, .offset = 9}}, .copy = {1, 2}});
  EXPECT_TRUE(reader.add(parts[0].view().first(parts[0].size() - 1)));
  EXPECT_FALSE(reader.latest());
}

}  // namespace
}  // namespace fanfare::canvasserver
