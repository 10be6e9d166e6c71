#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "canvas/room.h"

namespace fanfare::canvas {
namespace {

using std::chrono::milliseconds;
using Kind = ModerationEvent::Kind;

constexpr Instant kStart{std::chrono::hours(1)};

// A log in memory, as a storage would keep it: all pixels of all ticks with their time.
class Log final : public Past {
 public:
  explicit Log(const RoomSpec& spec) : spec_(spec) {}

  void add(const Tick& tick, std::int64_t time_ms) {
    if (tick.is_empty()) return;
    times_.push_back(time_ms);
    for (const ChunkTick& chunk : tick.chunks) {
      for (const TickPixel& pixel : chunk.pixels) {
        places_[{x_of(chunk.chunk, pixel.index), y_of(chunk.chunk, pixel.index)}].push_back(
            {.user = pixel.user, .colour = pixel.colour, .time_ms = time_ms});
      }
    }
  }

  std::vector<PastPixel> drawn_at(std::uint16_t x, std::uint16_t y, std::size_t count_max) override {
    std::vector<PastPixel> pixels = places_[{x, y}];
    std::ranges::reverse(pixels);
    if (pixels.size() > count_max) pixels.resize(count_max);
    return pixels;
  }
  // Without what was taken back: see UndoModelTest of canvasstore.
  Restoration without_user(UserNumber user, std::int64_t since_ms) override {
    Restoration found{.from = tick_from(since_ms), .pixels = {}};
    for (const auto& [at, pixels] : places_) {
      const auto is_his = [&](const PastPixel& pixel) {
        return pixel.user == user && pixel.time_ms >= since_ms;
      };
      if (std::ranges::none_of(pixels, is_his)) continue;
      RestoredPixel restored{.x = at.first, .y = at.second, .colour = spec_.background_colour()};
      for (const PastPixel& pixel : pixels) {
        if (is_his(pixel)) continue;
        restored.author = pixel.user;
        restored.colour = pixel.colour;
      }
      found.pixels.push_back(restored);
    }
    return found;
  }
  Restoration as_at(const Area& area, std::int64_t at_ms) override {
    Restoration found{.from = tick_from(at_ms + 1), .pixels = {}};
    for (const auto& [at, pixels] : places_) {
      if (!area.contains(at.first, at.second) || pixels.back().time_ms <= at_ms) continue;
      RestoredPixel restored{.x = at.first, .y = at.second, .colour = spec_.background_colour()};
      for (const PastPixel& pixel : pixels) {
        if (pixel.time_ms > at_ms) break;
        restored.author = pixel.user;
        restored.colour = pixel.colour;
      }
      found.pixels.push_back(restored);
    }
    return found;
  }

 private:
  std::uint64_t tick_from(std::int64_t at_ms) const {
    return 1 + static_cast<std::uint64_t>(std::ranges::lower_bound(times_, at_ms) - times_.begin());
  }

  std::vector<std::int64_t> times_;  // of the ticks
  const RoomSpec& spec_;
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::vector<PastPixel>> places_;
};

class ModerationTest : public testing::Test {
 protected:
  explicit ModerationTest(const Limits& limits = {})
      : room_({.spec = {.width = 600, .height = 300}, .limits = limits}) {}

  Actor join(std::string_view identity, std::string_view payer, Rights rights = {}) {
    return {
        .user = room_.join({.identity = identity, .payer = payer})->number, .payer = payer, .rights = rights};
  }
  Now now() const { return {.instant = kStart + milliseconds(now_ms_), .wall_ms = now_ms_}; }
  // Each pixel has a tick of its own.
  void draw(const Actor& actor, std::uint16_t x, std::uint16_t y, Colour colour) {
    const Pixel pixel{.x = x, .y = y, .colour = colour};
    ASSERT_EQ(room_.draw(actor, std::span(&pixel, 1), {}, now()).accepted, 1U);
    finish_tick();
  }
  Tick finish_tick() {
    Tick tick = room_.finish_tick();
    log_.add(tick, now_ms_);
    now_ms_ += 1000;
    return tick;
  }
  std::size_t restore(ModerationEvent event) {
    const auto found = restore_for(event, room_.spec(), log_);
    const auto count = room_.restore(mod_, event, found);
    EXPECT_TRUE(count);
    return count.value_or(0);
  }
  Colour colour(std::uint16_t x, std::uint16_t y) { return room_.board().colour_at(x, y); }

  Room room_;
  Log log_{room_.spec()};
  std::int64_t now_ms_ = 1000;
  Actor ann_ = join("ann", "1");
  Actor vandal_ = join("vandal", "2");
  Actor mod_ = join("mod", "3", {.draw = true, .moderate = true});
};

TEST_F(ModerationTest, UndoUserLeavesOthersAlone) {
  draw(ann_, 1, 1, 1);
  draw(vandal_, 1, 1, 9);
  draw(vandal_, 2, 1, 9);
  draw(vandal_, 3, 1, 9);
  draw(ann_, 3, 1, 2);
  draw(vandal_, 4, 1, 9);
  draw(ann_, 4, 1, 3);
  draw(vandal_, 4, 1, 9);
  EXPECT_EQ(restore({.kind = Kind::undo_user, .user = vandal_.user}), 3U);
  const Tick tick = finish_tick();
  EXPECT_EQ(colour(1, 1), 1U);
  EXPECT_EQ(room_.board().author_at(1, 1), ann_.user);
  EXPECT_EQ(colour(2, 1), 0xFFFFFFU);
  EXPECT_EQ(room_.board().author_at(2, 1), 0U);
  EXPECT_EQ(colour(3, 1), 2U) << "Ann's by now";
  EXPECT_EQ(colour(4, 1), 3U);
  ASSERT_EQ(tick.events.size(), 1U);
  EXPECT_EQ(tick.events[0],
            (ModerationEvent{.kind = Kind::undo_user, .moderator = mod_.user, .user = vandal_.user}));
  ASSERT_EQ(tick.chunks.size(), 1U);
  EXPECT_EQ(tick.chunks[0].pixels.size(), 3U);
}

TEST_F(ModerationTest, UndoUserSinceAMoment) {
  draw(vandal_, 1, 1, 8);
  const std::int64_t since = now_ms_;
  draw(vandal_, 1, 1, 9);
  draw(vandal_, 2, 1, 9);
  EXPECT_EQ(restore({.kind = Kind::undo_user, .user = vandal_.user, .at_ms = since}), 2U);
  finish_tick();
  EXPECT_EQ(colour(1, 1), 8U);
  EXPECT_EQ(colour(2, 1), 0xFFFFFFU);
}

TEST_F(ModerationTest, UndoAreaAndRollbackAreUndoneByAnotherRollback) {
  draw(ann_, 1, 1, 1);
  draw(ann_, 500, 200, 1);
  const std::int64_t before = now_ms_ - 1;
  draw(vandal_, 1, 1, 9);
  draw(vandal_, 500, 200, 9);
  draw(vandal_, 500, 201, 9);
  const std::int64_t vandalised = now_ms_ - 1;
  EXPECT_EQ(restore({.kind = Kind::undo_area,
                     .area = {.x = 400, .y = 100, .width = 200, .height = 101},
                     .at_ms = before}),
            1U);
  finish_tick();
  EXPECT_EQ(colour(500, 200), 1U);
  EXPECT_EQ(colour(500, 201), 9U) << "outside of the area";
  EXPECT_EQ(colour(1, 1), 9U);
  EXPECT_EQ(restore({.kind = Kind::rollback, .at_ms = before}), 2U);
  finish_tick();
  EXPECT_EQ(colour(1, 1), 1U);
  EXPECT_EQ(colour(500, 201), 0xFFFFFFU);
  EXPECT_EQ(restore({.kind = Kind::rollback, .at_ms = vandalised}), 3U);
  finish_tick();
  EXPECT_EQ(colour(500, 200), 9U);
  EXPECT_EQ(colour(500, 201), 9U);
}

TEST_F(ModerationTest, WhoDrewHere) {
  for (Colour colour = 0; colour < 20; ++colour) draw(colour % 2 == 0 ? ann_ : vandal_, 7, 7, colour);
  const auto drawn = log_.drawn_at(7, 7, kWhoMax);
  ASSERT_EQ(drawn.size(), kWhoMax);
  EXPECT_EQ(drawn[0].user, vandal_.user);
  EXPECT_EQ(drawn[0].colour, 19U);
  EXPECT_EQ(drawn[15].colour, 4U);
}

TEST_F(ModerationTest, OnlyModeratorsModerate) {
  EXPECT_EQ(room_.restore(ann_, {.kind = Kind::rollback}, {}).error().code, ErrorCode::not_permitted);
  EXPECT_EQ(room_.ban(ann_, vandal_.user, 60, now()).error().code, ErrorCode::not_permitted);
  EXPECT_EQ(Room::moderation_problem(ann_)->code, ErrorCode::not_permitted);
  EXPECT_FALSE(Room::moderation_problem(mod_));
  EXPECT_TRUE(finish_tick().is_empty());
}

TEST_F(ModerationTest, ABanHoldsForTheUserAndHisAddressesUntilItsEnd) {
  join("vandal", "4");
  ASSERT_TRUE(room_.ban(mod_, vandal_.user, 60, now()));
  const Pixel pixel{};
  const auto draw_as = [&](const Actor& actor) { return room_.draw(actor, std::span(&pixel, 1), {}, now()); };
  const DrawResult refused = draw_as(vandal_);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, ErrorCode::not_permitted);
  EXPECT_EQ(refused.error->retry_after, milliseconds(60'000));
  EXPECT_EQ(draw_as(join("new name", "2")).accepted, 0U);
  EXPECT_EQ(draw_as(join("new name", "4")).accepted, 0U);
  EXPECT_EQ(draw_as(join("vandal", "5")).accepted, 0U);
  EXPECT_EQ(draw_as(ann_).accepted, 1U);
  EXPECT_EQ(room_.undo(vandal_, 1, now()).error->code, ErrorCode::not_permitted);

  const Tick tick = finish_tick();
  ASSERT_EQ(tick.events.size(), 1U);
  const ModerationEvent& event = tick.events[0];
  EXPECT_EQ(event.kind, Kind::ban);
  EXPECT_EQ(event.user, vandal_.user);
  EXPECT_EQ(event.until_ms, 61'000);
  EXPECT_EQ(event.identity, "vandal");
  EXPECT_EQ(event.payers, (std::vector<std::string>{"4", "2"}));
  // After a restart, from the log.
  Room again({.first_user = 100});
  again.ban_again(event, now_ms_);
  const Actor returned{.user = again.join({.identity = "vandal", .payer = "6"})->number, .payer = "6"};
  EXPECT_EQ(again.draw(returned, std::span(&pixel, 1), {}, now()).accepted, 0U);
  // Under the id that the log shows, although this room has never seen its user.
  const Actor moderator{
      .user = again.join({.identity = "m", .payer = "9"})->number, .payer = "9", .rights = mod_.rights};
  EXPECT_FALSE(again.ban(moderator, event.user + 1'000, 0, now()));
  ASSERT_TRUE(again.ban(moderator, event.user, 0, now()));
  EXPECT_EQ(again.draw(returned, std::span(&pixel, 1), {}, now()).accepted, 1U);

  now_ms_ = 60'999;
  EXPECT_EQ(draw_as(vandal_).error->retry_after, milliseconds(1));
  now_ms_ = 61'000;
  EXPECT_EQ(draw_as(vandal_).accepted, 1U);
}

TEST_F(ModerationTest, ZeroSecondsEndABan) {
  ASSERT_TRUE(room_.ban(mod_, vandal_.user, 60, now()));
  ASSERT_TRUE(room_.ban(mod_, vandal_.user, 0, now()));
  draw(vandal_, 1, 1, 1);
  const auto unknown = room_.ban(mod_, 999, 60, now());
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::out_of_range);
  EXPECT_EQ(unknown.error().value, "\"u999\"");
}

// After a restart a user may come from elsewhere; his ban is still one of the addresses that he had.
TEST_F(ModerationTest, ZeroSecondsEndABanOfBeforeARestart) {
  room_.ban_again(
      {.kind = Kind::ban, .user = vandal_.user, .until_ms = 60'000, .identity = "vandal", .payers = {"old"}},
      0);
  const Pixel pixel{};
  const Actor neighbour = join("neighbour", "old");
  EXPECT_EQ(room_.draw(neighbour, std::span(&pixel, 1), {}, now()).accepted, 0U);
  ASSERT_TRUE(room_.ban(mod_, vandal_.user, 0, now()));
  EXPECT_EQ(room_.draw(neighbour, std::span(&pixel, 1), {}, now()).accepted, 1U);
}

TEST_F(ModerationTest, AUserWithoutAnIdentityIsBannedByNumberAndAddress) {
  const Actor nameless = join("", "7");
  ASSERT_TRUE(room_.ban(mod_, nameless.user, 60, now()));
  const Pixel pixel{};
  EXPECT_EQ(room_.draw({.user = nameless.user, .payer = "8"}, std::span(&pixel, 1), {}, now()).accepted, 0U);
  EXPECT_EQ(room_.draw(join("", "7"), std::span(&pixel, 1), {}, now()).accepted, 0U);
  EXPECT_EQ(room_.draw(join("", "8"), std::span(&pixel, 1), {}, now()).accepted, 1U);
}

class ManyRestoredTest : public ModerationTest {
 protected:
  ManyRestoredTest()
      : ModerationTest({.restored_pixels_per_tick_max = 10, .restored_pixels_waiting_max = 25}) {}
};

TEST_F(ManyRestoredTest, ManyPixelsAreDividedAmongTicks) {
  for (std::uint16_t x = 0; x < 30; ++x) draw(vandal_, x, 1, 9);
  EXPECT_EQ(restore({.kind = Kind::rollback, .at_ms = 0}), 25U) << "restored_pixels_waiting_max";
  EXPECT_EQ(restore({.kind = Kind::rollback, .at_ms = 0}), 0U);
  std::vector<std::size_t> sizes;
  while (room_.has_changes()) {
    const Tick tick = finish_tick();
    sizes.push_back(tick.chunks.empty() ? 0 : tick.chunks[0].pixels.size());
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{10, 10, 5}));
  EXPECT_EQ(restore({.kind = Kind::rollback, .at_ms = 0}), 5U);
  finish_tick();
  for (std::uint16_t x = 0; x < 30; ++x) EXPECT_EQ(colour(x, 1), 0xFFFFFFU);
}

TEST_F(ManyRestoredTest, WhatIsNotInTheCanvasAnyMoreIsLeftOut) {
  const Restoration found{.from = 1,
                          .pixels = {{.x = 600, .y = 0, .colour = 1},
                                     {.x = 0, .y = 0, .colour = 0x1000000},
                                     {.x = 1, .y = 0, .author = 5, .colour = 1}}};
  EXPECT_EQ(room_.restore(mod_, {.kind = Kind::rollback}, found), 1U);
  finish_tick();
  EXPECT_EQ(colour(1, 0), 1U);
}

}  // namespace
}  // namespace fanfare::canvas
