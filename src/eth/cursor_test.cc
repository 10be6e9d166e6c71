#include "eth/cursor.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace fanfare::eth {
namespace {

Hash256 hash_of(std::uint8_t fill) {
  Hash256 hash;
  hash.bytes.fill(fill);
  return hash;
}

Header block(std::uint64_t number, std::uint8_t hash, std::uint8_t parent) {
  return {.number = number, .hash = hash_of(hash), .parent_hash = hash_of(parent), .json = {}};
}

TEST(Cursor, IsTheDocumentedBytes) {
  const Position position{
      .number = 0x1b4, .hash = hash_of(0xab), .logs_told = 3, .ancestors = {prefix_of(hash_of(1))}};
  // 01, 8 bytes of number, 4 of count, 32 of hash, 01, 8 of the ancestor, 4 of checksum.
  EXPECT_EQ(to_cursor(position),
            "AQAAAAAAAAG0AAAAA6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urAQEBAQEBAQEBuFa4Qw");
}

TEST(Cursor, RoundTripsEverySize) {
  SeededRandom random(1);
  for (std::size_t ancestors = 0; ancestors <= Position::kAncestorsMax; ++ancestors) {
    Position position{.number = 100 + ancestors, .hash = {}, .logs_told = Position::kAll, .ancestors = {}};
    random.fill(position.hash.bytes);
    position.ancestors.resize(ancestors);
    for (HashPrefix& ancestor : position.ancestors) random.fill(ancestor);
    EXPECT_EQ(parse_cursor(to_cursor(position)), position) << ancestors;
  }
}

TEST(Cursor, AnyOtherTextIsRefused) {
  const Position position{.number = 7, .hash = hash_of(5), .logs_told = 1, .ancestors = {{}, {}}};
  const std::string good = to_cursor(position);
  ASSERT_TRUE(parse_cursor(good));
  EXPECT_FALSE(parse_cursor(""));
  EXPECT_FALSE(parse_cursor("0x1b4"));
  EXPECT_FALSE(parse_cursor(good + "A"));
  EXPECT_FALSE(parse_cursor(good + "="));
  EXPECT_FALSE(parse_cursor(std::string(100'000, 'A')));
  for (std::size_t i = 0; i < good.size(); ++i) {
    EXPECT_FALSE(parse_cursor(good.substr(0, i))) << i;
    std::string changed = good;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(parse_cursor(changed)) << i;
  }
  // More ancestors than the block can have, and a number that no chain reaches.
  EXPECT_FALSE(parse_cursor(to_cursor({.number = 1, .hash = {}, .logs_told = 0, .ancestors = {{}, {}}})));
  EXPECT_FALSE(parse_cursor(to_cursor({.number = ~0ULL, .hash = {}, .logs_told = 0, .ancestors = {}})));
}

TEST(Trail, RemembersTheLastAncestors) {
  Trail trail;
  EXPECT_FALSE(trail.number());
  for (std::uint8_t i = 1; i <= 20; ++i) trail.move_to(block(i, i, static_cast<std::uint8_t>(i - 1)));
  const Position position = trail.position(2);
  EXPECT_EQ(position.number, 20U);
  EXPECT_EQ(position.hash, hash_of(20));
  EXPECT_EQ(position.logs_told, 2U);
  ASSERT_EQ(position.ancestors.size(), Position::kAncestorsMax);
  EXPECT_EQ(position.ancestors.front(), prefix_of(hash_of(19)));
  EXPECT_EQ(position.ancestors.back(), prefix_of(hash_of(8)));
}

TEST(Trail, GoesBackAndOnAlongAnotherBranch) {
  Trail trail;
  for (std::uint8_t i = 1; i <= 5; ++i) trail.move_to(block(i, i, static_cast<std::uint8_t>(i - 1)));
  trail.move_to_parent_of(block(5, 5, 4));
  trail.move_to_parent_of(block(4, 4, 3));
  EXPECT_EQ(trail.number(), 3U);
  EXPECT_EQ(trail.hash(), hash_of(3));
  trail.move_to(block(4, 44, 3));
  EXPECT_EQ(trail.position(0).ancestors, (std::vector{prefix_of(hash_of(3)), prefix_of(hash_of(2)),
                                                      prefix_of(hash_of(1)), prefix_of(hash_of(0))}));
  // Moving to a sibling without removing the block first has the same effect.
  trail.move_to(block(4, 45, 3));
  EXPECT_EQ(trail.position(0).ancestors.size(), 4U);
  EXPECT_EQ(trail.position(0).hash, hash_of(45));
}

TEST(Trail, KnowsOnlyTheParentOfABlockThatDoesNotFollow) {
  Trail trail;
  for (std::uint8_t i = 1; i <= 5; ++i) trail.move_to(block(i, i, static_cast<std::uint8_t>(i - 1)));
  trail.move_to(block(9, 9, 88));
  EXPECT_EQ(trail.position(0).ancestors, std::vector{prefix_of(hash_of(88))});
  trail.move_to(block(0, 7, 0));
  EXPECT_TRUE(trail.position(0).ancestors.empty());
}

}  // namespace
}  // namespace fanfare::eth
