#include "canvas/room.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace fanfare::canvas {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kRoomStart{std::chrono::hours(1)};
constexpr std::int64_t kWallMs = 1'000'000;

Now at(Duration since_start) {
  return {.instant = kRoomStart + since_start,
          .wall_ms = kWallMs + std::chrono::duration_cast<milliseconds>(since_start).count()};
}

class RoomTest : public testing::Test {
 protected:
  explicit RoomTest(const Limits& limits = {})
      : room_({.spec = {.width = 600, .height = 300}, .limits = limits}) {}

  Actor join(std::string_view identity, std::string_view payer, Rights rights = {}) {
    const User* const user = room_.join({.identity = identity, .name = identity, .payer = payer});
    return {.user = user->number, .payer = payer, .rights = rights};
  }
  DrawResult draw(const Actor& actor, Pixel pixel, Duration since_start = {}) {
    return room_.draw(actor, std::span(&pixel, 1), {}, at(since_start));
  }
  Colour colour(std::uint16_t x, std::uint16_t y) { return room_.board().colour_at(x, y); }
  UserNumber author(std::uint16_t x, std::uint16_t y) { return room_.board().author_at(x, y); }

  void expect_refused(const DrawResult& result, ErrorCode code, std::uint32_t accepted = 0) {
    EXPECT_EQ(result.accepted, accepted);
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->code, code) << result.error->message;
    EXPECT_FALSE(result.error->message.empty());
  }

  Room room_;
  Actor ann_ = join("ann", "1");
  Actor bob_ = join("bob", "2");
  Actor mod_ = join("mod", "3", {.draw = true, .moderate = true});
};

TEST_F(RoomTest, GathersATick) {
  EXPECT_FALSE(room_.has_changes());
  EXPECT_TRUE(room_.finish_tick().is_empty());
  EXPECT_EQ(draw(ann_, {.x = 1, .y = 0, .colour = 5}).accepted, 1U);
  EXPECT_EQ(draw(bob_, {.x = 599, .y = 299, .colour = 6}).accepted, 1U);
  EXPECT_TRUE(room_.has_changes());
  const Tick tick = room_.finish_tick();
  EXPECT_EQ(tick.number, 1U);
  ASSERT_EQ(tick.chunks.size(), 2U);
  EXPECT_EQ(tick.chunks[0].pixels, (std::vector<TickPixel>{{.index = 1, .user = ann_.user, .colour = 5}}));
  EXPECT_EQ(tick.chunks[1].chunk, (ChunkId{.x = 2, .y = 1}));
  EXPECT_EQ(room_.pixels_total(), 2U);
  EXPECT_FALSE(room_.has_changes());
  draw(ann_, {.x = 1, .y = 0, .colour = 5});
  EXPECT_EQ(room_.finish_tick().number, 2U);
}

TEST_F(RoomTest, AcceptsABatchUpToTheFirstPixelThatIsOutOfRange) {
  const std::vector<Pixel> pixels{
      {.x = 1, .y = 1, .colour = 1}, {.x = 600, .y = 1, .colour = 1}, {.x = 2, .y = 1, .colour = 1}};
  const DrawResult result = room_.draw(ann_, pixels, {}, at({}));
  expect_refused(result, ErrorCode::out_of_range, 1);
  EXPECT_EQ(result.error->field, "x");
  EXPECT_EQ(result.error->value, "600");
  EXPECT_EQ(result.error->limit, "599");
  EXPECT_EQ(colour(2, 1), 0xFFFFFFU);
  expect_refused(draw(ann_, {.x = 0, .y = 300, .colour = 1}), ErrorCode::out_of_range);
  const DrawResult wrong_colour = draw(ann_, {.x = 0, .y = 0, .colour = 0x1000000});
  expect_refused(wrong_colour, ErrorCode::out_of_range);
  EXPECT_EQ(wrong_colour.error->field, "color");
}

TEST_F(RoomTest, ThoseWithoutTheRightOrWhoHaveLeftCannotDraw) {
  Actor reader = join("reader", "4", {.draw = false});
  expect_refused(draw(reader, {}), ErrorCode::not_permitted);
  expect_refused(room_.undo(reader, 1, at({})), ErrorCode::not_permitted);
  reader.user = 999;
  reader.rights.draw = true;
  expect_refused(draw(reader, {}), ErrorCode::not_permitted);
  expect_refused(room_.undo(reader, 1, at({})), ErrorCode::not_permitted);
}

TEST_F(RoomTest, WhileNothingCanBeStoredNothingChanges) {
  draw(ann_, {.colour = 1});
  room_.set_storage(false);
  expect_refused(draw(ann_, {.colour = 2}), ErrorCode::storage_full);
  expect_refused(room_.undo(ann_, 1, at({})), ErrorCode::storage_full);
  EXPECT_EQ(room_.restore(mod_, {.kind = ModerationEvent::Kind::rollback}, {}).error().code,
            ErrorCode::storage_full);
  EXPECT_FALSE(room_.watch({}, std::nullopt, 1, {}).empty()) << "viewing goes on";
  room_.set_storage(true);
  EXPECT_EQ(draw(ann_, {.colour = 2}).accepted, 1U);
}

TEST_F(RoomTest, UndoTakesBackTheLastPixelsThatAreStillOnesOwn) {
  draw(bob_, {.x = 3, .y = 0, .colour = 9});
  draw(ann_, {.x = 1, .y = 0, .colour = 1});
  draw(ann_, {.x = 1, .y = 0, .colour = 2});
  draw(ann_, {.x = 2, .y = 0, .colour = 3});
  draw(ann_, {.x = 3, .y = 0, .colour = 4});
  draw(bob_, {.x = 2, .y = 0, .colour = 5});
  room_.finish_tick();

  EXPECT_EQ(room_.undo(ann_, 1, at({})).accepted, 1U);
  EXPECT_EQ(colour(3, 0), 9U);
  EXPECT_EQ(author(3, 0), bob_.user);
  // The one at 2 is Bob's by now.
  EXPECT_EQ(room_.undo(ann_, 1, at({})).accepted, 1U);
  EXPECT_EQ(colour(2, 0), 5U);
  EXPECT_EQ(colour(1, 0), 1U);
  EXPECT_EQ(author(1, 0), ann_.user);
  const Tick tick = room_.finish_tick();
  ASSERT_EQ(tick.chunks.size(), 1U);
  EXPECT_EQ(tick.chunks[0].pixels.size(), 2U);
  EXPECT_EQ(room_.undo(ann_, 100, at({})).accepted, 1U);
  EXPECT_EQ(colour(1, 0), 0xFFFFFFU);
  EXPECT_EQ(author(1, 0), 0U) << "as if nobody had drawn it";
  const DrawResult nothing = room_.undo(ann_, 1, at({}));
  EXPECT_EQ(nothing.accepted, 0U);
  EXPECT_FALSE(nothing.error);
  // Bob drew over Ann's pixel, which she then could not take back.
  EXPECT_EQ(room_.undo(bob_, 1, at({})).accepted, 1U);
  EXPECT_EQ(colour(2, 0), 3U);
}

TEST_F(RoomTest, APixelThatSomebodyDrewAgainInTheSameColourIsHis) {
  draw(ann_, {.colour = 1});
  draw(bob_, {.colour = 1});
  EXPECT_EQ(room_.undo(ann_, 1, at({})).accepted, 0U);
  EXPECT_EQ(author(0, 0), bob_.user);
  draw(bob_, {.x = 1, .y = 0, .colour = 2});
  draw(ann_, {.x = 1, .y = 0, .colour = 3});
  EXPECT_EQ(room_.undo(ann_, 1, at({})).accepted, 1U);
  EXPECT_EQ(author(1, 0), bob_.user);
}

TEST_F(RoomTest, ReturningUsersCanUndo) {
  draw(ann_, {.colour = 1});
  room_.leave(ann_.user);
  const Actor again = join("ann", "9");
  EXPECT_EQ(again.user, ann_.user);
  EXPECT_EQ(room_.undo(again, 1, at({})).accepted, 1U);
}

class UndoLimitTest : public RoomTest {
 protected:
  UndoLimitTest() : RoomTest({.undo_pixels_max = 3}) {}
};

TEST_F(UndoLimitTest, TheOldestPixelIsForgottenFirst) {
  draw(ann_, {.x = 0, .y = 0, .colour = 1});
  draw(ann_, {.x = 1, .y = 0, .colour = 1});
  draw(bob_, {.x = 2, .y = 0, .colour = 1});
  draw(ann_, {.x = 3, .y = 0, .colour = 1});
  EXPECT_EQ(room_.undo(ann_, 10, at({})).accepted, 2U);
  EXPECT_EQ(colour(0, 0), 1U);
  EXPECT_EQ(room_.undo(bob_, 10, at({})).accepted, 1U);
}

struct RateCase {
  const char* name;
  Limits limits;
};

class RatesTest : public testing::TestWithParam<RateCase> {};

// The exact wait: a pixel that is sent then is accepted, and one a millisecond before is not.
TEST_P(RatesTest, RetryAfterIsExact) {
  SeededRandom random(7);
  Room room({.spec = {}, .limits = GetParam().limits});
  const Actor actor{.user = room.join({.identity = "a", .payer = "1"})->number, .payer = "1"};
  const Pixel pixel{};
  const auto draw = [&](Duration when) { return room.draw(actor, std::span(&pixel, 1), {}, at(when)); };
  Duration now{};
  int refused = 0;
  for (int i = 0; i < 2000 && refused < 200; ++i) {
    now += std::chrono::microseconds(random.below(3000));
    const DrawResult result = draw(now);
    if (result.accepted == 1) continue;
    ++refused;
    ASSERT_TRUE(result.error && result.error->retry_after);
    EXPECT_EQ(result.error->code, ErrorCode::too_many_pixels);
    const milliseconds wait = *result.error->retry_after;
    ASSERT_GE(wait.count(), 1);
    EXPECT_EQ(draw(now + wait - milliseconds(1)).accepted, 0U) << "a millisecond early";
    EXPECT_EQ(draw(now + wait).accepted, 1U);
    now += wait;
  }
  EXPECT_EQ(refused, 200);
}

INSTANTIATE_TEST_SUITE_P(
    Limits, RatesTest,
    testing::Values(RateCase{"user", {.pixels_per_user = {.per_second = 300, .burst = 3}}},
                    RateCase{"address",
                             {.pixels_per_user = {}, .pixels_per_address = {.per_second = 7, .burst = 1}}},
                    RateCase{"cooldown", {.cooldown = std::chrono::microseconds(12'345)}},
                    RateCase{"all",
                             {.pixels_per_user = {.per_second = 90, .burst = 5},
                              .pixels_per_address = {.per_second = 100, .burst = 2},
                              .cooldown = milliseconds(3)}}),
    [](const auto& info) { return std::string(info.param.name); });

class LimitedRoomTest : public RoomTest {
 protected:
  LimitedRoomTest()
      : RoomTest({.chunks_max = 2,
                  .pixels_per_user = {.per_second = 10, .burst = 4},
                  .pixels_per_address = {.per_second = 10, .burst = 6},
                  .pixels_per_tick_max = 9}) {}
};

TEST_F(LimitedRoomTest, UsersHaveABurstAndThenTheirRate) {
  const std::vector<Pixel> pixels(6);
  const DrawResult result = room_.draw(ann_, pixels, {}, at({}));
  expect_refused(result, ErrorCode::too_many_pixels, 4);
  EXPECT_EQ(result.error->retry_after, milliseconds(100));
  EXPECT_EQ(room_.draw(ann_, pixels, {}, at(milliseconds(250))).accepted, 2U);
  EXPECT_EQ(room_.draw(bob_, pixels, {}, at(milliseconds(250))).accepted, 3U) << "the tick's limit of 9";
}

TEST_F(LimitedRoomTest, AnAddressPaysForAllItsUsers) {
  const Actor second = join("second", "1");
  const Actor elsewhere = join("elsewhere", "5");
  const std::vector<Pixel> pixels(4);
  EXPECT_EQ(room_.draw(ann_, pixels, {}, at({})).accepted, 4U);
  const DrawResult result = room_.draw(second, pixels, {}, at({}));
  expect_refused(result, ErrorCode::too_many_pixels, 2);
  EXPECT_EQ(result.error->retry_after, milliseconds(100));
  EXPECT_EQ(room_.draw(elsewhere, pixels, {}, at({})).accepted, 3U);
}

TEST_F(LimitedRoomTest, ATickHasALimit) {
  const std::vector<Pixel> pixels(4);
  EXPECT_EQ(room_.draw(ann_, pixels, {}, at({})).accepted, 4U);
  EXPECT_EQ(room_.draw(bob_, pixels, {}, at({})).accepted, 4U);
  EXPECT_EQ(room_.draw(mod_, std::span(pixels).first(1), {}, at({})).accepted, 1U) << "at the limit";
  const DrawResult result = room_.draw(mod_, pixels, {}, at({}));
  expect_refused(result, ErrorCode::too_many_pixels);
  EXPECT_EQ(result.error->retry_after, milliseconds(100)) << "the longest tick";
  expect_refused(room_.undo(ann_, 1, at({})), ErrorCode::too_many_pixels);
  room_.finish_tick();
  EXPECT_EQ(room_.draw(mod_, pixels, {}, at({})).accepted, 3U) << "nothing was taken for what was refused";
}

class ChunkRateTest : public RoomTest {
 protected:
  ChunkRateTest() : RoomTest({.chunks_per_minute_per_user = 2, .chunks_per_minute_per_address = 3}) {}

  void expect_wait(const DrawResult& result, std::string_view field, std::string_view value,
                   std::string_view limit, Duration wait) {
    expect_refused(result, ErrorCode::too_many_pixels);
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->field, field);
    EXPECT_EQ(result.error->value, value);
    EXPECT_EQ(result.error->limit, limit);
    EXPECT_EQ(result.error->retry_after, wait);
  }
};

TEST_F(ChunkRateTest, AUserBeginsSoManyChunksAMinute) {
  const std::vector<Pixel> pixels{{.x = 0}, {.x = 256}, {.x = 1}, {.x = 512}};
  DrawResult result = room_.draw(ann_, pixels, {}, at({}));
  EXPECT_EQ(result.accepted, 3U) << "the limit; a chunk that has pixels costs nothing";
  result.accepted = 0;
  expect_wait(result, "chunks_per_minute", "3", "2", seconds(30));
  EXPECT_EQ(draw(bob_, {.x = 512}).accepted, 1U) << "another user at another address";
  EXPECT_EQ(draw(ann_, {.x = 513}).accepted, 1U) << "it has pixels now";
  expect_wait(draw(ann_, {.x = 0, .y = 256}, seconds(29)), "chunks_per_minute", "3", "2", seconds(1));
  EXPECT_EQ(draw(ann_, {.x = 0, .y = 256}, seconds(30)).accepted, 1U) << "the wait was exact";
  expect_wait(draw(ann_, {.x = 256, .y = 256}, seconds(30)), "chunks_per_minute", "3", "2", seconds(30));
}

TEST_F(ChunkRateTest, AnAddressPaysForTheChunksOfAllItsUsers) {
  const Actor second = join("second", "1");
  EXPECT_EQ(draw(ann_, {.x = 0}).accepted, 1U);
  EXPECT_EQ(draw(ann_, {.x = 256}).accepted, 1U);
  EXPECT_EQ(draw(second, {.x = 512}).accepted, 1U);
  expect_wait(draw(second, {.x = 0, .y = 256}), "address_chunks_per_minute", "4", "3", seconds(20));
  EXPECT_EQ(draw(second, {.x = 0, .y = 256}, seconds(20)).accepted, 1U);
}

TEST_F(ChunkRateTest, AChunkThatWasTakenBackIsBegunAgain) {
  EXPECT_EQ(draw(ann_, {.x = 0}).accepted, 1U);
  EXPECT_EQ(room_.undo(ann_, 1, at({})).accepted, 1U);
  EXPECT_EQ(draw(ann_, {.x = 0}).accepted, 1U);
  EXPECT_EQ(room_.undo(ann_, 1, at({})).accepted, 1U);
  expect_wait(draw(ann_, {.x = 0}), "chunks_per_minute", "3", "2", seconds(30));
}

TEST_F(LimitedRoomTest, WhatIsTakenBackMakesRoomForOtherChunks) {
  EXPECT_EQ(draw(ann_, {.x = 0, .y = 0}).accepted, 1U);
  EXPECT_EQ(draw(ann_, {.x = 256, .y = 0}).accepted, 1U);
  const DrawResult third = draw(bob_, {.x = 512, .y = 0});
  expect_refused(third, ErrorCode::out_of_range);
  EXPECT_EQ(third.error->field, "chunks_max");
  EXPECT_EQ(third.error->value, "3");
  EXPECT_EQ(third.error->limit, "2");
  EXPECT_EQ(room_.undo(ann_, 1, at({})).accepted, 1U);
  EXPECT_EQ(draw(bob_, {.x = 512, .y = 0}).accepted, 1U);
  expect_refused(draw(bob_, {.x = 256, .y = 0}), ErrorCode::out_of_range);
}

TEST_F(LimitedRoomTest, DrawingInOneChunkTooManyIsRefusedAndCostsNothing) {
  EXPECT_EQ(draw(ann_, {.x = 0, .y = 0}).accepted, 1U);
  EXPECT_EQ(draw(ann_, {.x = 256, .y = 0}).accepted, 1U);
  const DrawResult result = draw(ann_, {.x = 512, .y = 0});
  expect_refused(result, ErrorCode::out_of_range);
  EXPECT_NE(result.error->message.find("2 chunks"), std::string::npos);
  EXPECT_EQ(draw(ann_, {.x = 0, .y = 0}).accepted, 1U);
  EXPECT_EQ(draw(ann_, {.x = 0, .y = 0}).accepted, 1U);
}

class Puzzle final : public ProofHook {
 public:
  std::optional<std::string> problem_with(std::string_view proof, const Actor&,
                                          std::span<const Pixel> pixels) override {
    ++asked;
    last_count = pixels.size();
    if (proof == "\"right\"") return std::nullopt;
    return "solve the puzzle";
  }
  int asked = 0;
  std::size_t last_count = 0;
};

TEST(RoomProof, IsWantedOnceForEachRequest) {
  Puzzle puzzle;
  Room room({.limits = {.pixels_per_user = {.per_second = 1, .burst = 2}}, .proof = &puzzle});
  const Actor actor{.user = room.join({.payer = "1"})->number, .payer = "1"};
  const std::vector<Pixel> pixels(2);
  const DrawResult without = room.draw(actor, pixels, {}, at({}));
  EXPECT_EQ(without.accepted, 0U);
  EXPECT_EQ(without.error->code, ErrorCode::proof_required);
  EXPECT_EQ(without.error->message, "solve the puzzle");
  EXPECT_EQ(room.draw(actor, pixels, "\"right\"", at({})).accepted, 2U);
  EXPECT_EQ(puzzle.asked, 2);
  EXPECT_EQ(puzzle.last_count, 2U);
  EXPECT_EQ(room.draw(actor, pixels, "\"right\"", at({})).error->code, ErrorCode::too_many_pixels);
  EXPECT_EQ(puzzle.asked, 2) << "a proof is not used up for nothing";
}

TEST_F(RoomTest, WatchSendsOnlyChunksThatWereNotWatchedBefore) {
  draw(ann_, {.x = 300, .y = 0, .colour = 1});
  room_.finish_tick();
  const ChunkArea left{.x0 = 0, .y0 = 0, .x1 = 0, .y1 = 1};
  const ChunkArea two{.x0 = 0, .y0 = 0, .x1 = 1, .y1 = 1};
  EXPECT_EQ(room_.watch(left, std::nullopt, 1, {}).size(), 2U);
  EXPECT_EQ(room_.watch(two, left, 1, {}).size(), 2U);
  EXPECT_EQ(room_.watch(left, two, 1, {}).size(), 0U);
  const std::vector<KnownChunk> known{{.id = {.x = 1, .y = 0}, .version = 1}};
  EXPECT_EQ(room_.watch(two, left, 1, known).size(), 2U) << "one CHUNK, one CURRENT";
  const auto other_epoch = room_.watch({.x0 = 1, .y0 = 0, .x1 = 1, .y1 = 0}, std::nullopt, 2, known);
  ASSERT_EQ(other_epoch.size(), 1U);
  EXPECT_EQ(other_epoch[0].view()[other_epoch[0].view()[1] < 126 ? 2 : 4], kChunkOp)
      << "versions of another epoch mean nothing";
  EXPECT_EQ(room_.fetch({.x = 1, .y = 0}).size(), 1U);
  EXPECT_EQ(room_.resume(known).size(), 1U);
}

TEST_F(RoomTest, LeavingIsSeenByOthers) {
  EXPECT_EQ(room_.presence().take_delta(kRoomStart)->total, 3U);
  const Actor tab = join("ann", "1");
  room_.cursors().move(ann_.user, 5, 5);
  ASSERT_TRUE(room_.cursors().start_round(kRoomStart));
  room_.leave(tab.user);
  EXPECT_FALSE(room_.presence().take_delta(kRoomStart + seconds(1))) << "another tab is open";
  room_.leave(ann_.user);
  EXPECT_EQ(room_.presence().take_delta(kRoomStart + seconds(2))->left, std::vector{ann_.user});
  ASSERT_TRUE(room_.cursors().start_round(kRoomStart + seconds(2)));
  EXPECT_EQ(room_.cursors().count(), 0U);
}

}  // namespace
}  // namespace fanfare::canvas
