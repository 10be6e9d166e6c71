// What an undo passes, because somebody has drawn over it.
#include <gtest/gtest.h>

#include "canvas/room.h"

namespace fanfare::canvas {
namespace {

class UndoTest : public testing::Test {
 protected:
  explicit UndoTest(const Limits& limits = {})
      : room_({.spec = {.width = 10, .height = 1}, .limits = limits}) {}

  Actor join(std::string_view name) {
    return {.user = room_.join({.identity = name, .name = name, .payer = name})->number, .payer = name};
  }
  void draw(const Actor& actor, const Pixel& pixel) {
    EXPECT_EQ(room_.draw(actor, std::span(&pixel, 1), {}, {}).accepted, 1U);
  }
  std::uint32_t undo(const Actor& actor, std::uint32_t count) {
    return room_.undo(actor, count, {}).accepted;
  }
  Colour colour_at(std::uint16_t x) const { return room_.board().colour_at(x, 0); }

  Room room_;
  const Actor ann_ = join("ann");
  const Actor bob_ = join("bob");
};

TEST_F(UndoTest, WhatAnUndoPassesCanBeTakenBackWhenItIsOnesOwnAgain) {
  draw(ann_, {.x = 1, .y = 0, .colour = 1});
  draw(ann_, {.x = 2, .y = 0, .colour = 2});
  draw(ann_, {.x = 3, .y = 0, .colour = 3});
  draw(bob_, {.x = 2, .y = 0, .colour = 9});
  draw(bob_, {.x = 3, .y = 0, .colour = 9});
  EXPECT_EQ(undo(ann_, 1), 1U) << "the first one";
  EXPECT_EQ(undo(ann_, 5), 0U);
  EXPECT_EQ(undo(bob_, 2), 2U);
  EXPECT_EQ(undo(ann_, 1), 1U);
  EXPECT_EQ(colour_at(3), 0xFFFFFFU) << "the newest first";
  EXPECT_EQ(undo(ann_, 5), 1U);
  EXPECT_EQ(colour_at(2), 0xFFFFFFU);
  EXPECT_EQ(undo(ann_, 5), 0U) << "each one once";
}

TEST_F(UndoTest, SeveralStrokesOfAPlaceAreOnePixelThatChanges) {
  draw(ann_, {.x = 1, .y = 0, .colour = 1});
  draw(ann_, {.x = 1, .y = 0, .colour = 2});
  draw(ann_, {.x = 2, .y = 0, .colour = 3});
  draw(ann_, {.x = 1, .y = 0, .colour = 4});
  EXPECT_EQ(undo(ann_, 3), 2U) << "three strokes, two places";
  EXPECT_EQ(colour_at(1), 1U);
  EXPECT_EQ(undo(ann_, 3), 1U);
}

// It looks the same, but it is not his newest one.
TEST_F(UndoTest, TheStrokeThatIsVisibleIsTakenBack) {
  draw(ann_, {.x = 1, .y = 0, .colour = 1});
  room_.finish_tick();
  draw(bob_, {.x = 1, .y = 0, .colour = 2});
  draw(ann_, {.x = 1, .y = 0, .colour = 1});
  room_.finish_tick();
  const Actor moderator{.user = bob_.user, .payer = "bob", .rights = {.moderate = true}};
  const Restoration found{.from = 2, .pixels = {{.x = 1, .y = 0, .author = ann_.user, .colour = 1}}};
  EXPECT_EQ(room_.restore(moderator, {.kind = ModerationEvent::Kind::rollback}, found), 0U);
  room_.finish_tick();
  EXPECT_EQ(undo(ann_, 1), 1U);
  EXPECT_EQ(colour_at(1), 0xFFFFFFU) << "not Bob's, which a moderator has taken back";
}

TEST_F(UndoTest, WhatAModeratorGaveBackIsNotTakenBackByItsAuthor) {
  draw(ann_, {.x = 1, .y = 0, .colour = 1});
  room_.finish_tick();
  EXPECT_EQ(undo(ann_, 1), 1U);
  room_.finish_tick();
  const Actor moderator{.user = bob_.user, .payer = "bob", .rights = {.moderate = true}};
  const Restoration found{.from = 2, .pixels = {{.x = 1, .y = 0, .author = ann_.user, .colour = 1}}};
  EXPECT_EQ(room_.restore(moderator, {.kind = ModerationEvent::Kind::rollback}, found), 1U);
  const Tick tick = room_.finish_tick();
  EXPECT_EQ(tick.taken_back, (std::vector<TakenBack>{{.x = 1, .y = 0, .user = 0, .from = 2}}));
  EXPECT_EQ(undo(ann_, 1), 0U);
  EXPECT_EQ(colour_at(1), 1U);
}

class UndoPassedTest : public UndoTest {
 protected:
  UndoPassedTest() : UndoTest({.undo_passed_max = 2}) {}
};

TEST_F(UndoPassedTest, OfThoseThatWerePassedTheOldestAreForgotten) {
  for (std::uint16_t x = 0; x < 3; ++x) draw(ann_, {.x = x, .y = 0, .colour = 1});
  for (std::uint16_t x = 0; x < 3; ++x) draw(bob_, {.x = x, .y = 0, .colour = 2});
  EXPECT_EQ(undo(ann_, 1), 0U);
  EXPECT_EQ(undo(bob_, 3), 3U);
  EXPECT_EQ(undo(ann_, 3), 2U);
  EXPECT_EQ(colour_at(0), 1U) << "one past the limit";
}

}  // namespace
}  // namespace fanfare::canvas
