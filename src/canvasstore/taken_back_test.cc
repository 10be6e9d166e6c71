// What was taken back, on the disk: rows that come back, damage, files of earlier versions, and a log that is cut.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include "canvasserver/log_past.h"
#include "canvasstore/storage_for_tests.h"

namespace fanfare::canvasstore {
namespace {

using canvas::Restoration;
using canvas::RestoredPixel;
using canvas::TakenBack;
using canvasserver::LogTakenBack;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr canvas::Colour kBlank = 0xffffff;

class TakenBackTest : public testing::Test {
 protected:
  StorageOptions options() const { return {.path = folder_.file(), .full_sync = true, .new_epoch = 7}; }
  static auto taken_back(TestStorage& room, canvas::ChunkId chunk, std::uint64_t from = 0) {
    return room.ask([=](PastLog& log) { return log.taken_back(chunk, from); });
  }
  static Restoration without_user(TestStorage& room, canvas::UserNumber user, std::int64_t since_ms = 0) {
    return room.ask([=](PastLog& log) {
      const canvas::RoomSpec spec;
      canvasserver::LogPast past(log, spec);
      auto found = past.without_user(user, since_ms);
      EXPECT_EQ(past.problem(), "");
      return found;
    });
  }
  void execute(const char* statement) const {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(folder_.file().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, statement, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }
  // Users 1 and 2 draw at place 5, and then user 2 takes his stroke back.
  static void draw_and_take_back(TestStorage& room) {
    room.storage->append(tick_of(1, kStart, 5, 1, 1));
    room.storage->append(tick_of(2, kStart + 10, 5, 2, 2));
    LoggedTick undo = tick_of(3, kStart + 20, 5, 1, 1);
    undo.taken_back = {{.x = 5, .y = 0, .user = 0, .from = 2}};
    room.storage->append(std::move(undo));
  }

  const Folder folder_;
};

TEST_F(TakenBackTest, EachChunkHasItsOwnAfterARestart) {
  const TakenBack first{.x = 5, .y = 1, .user = 300, .from = 1'000'000'000'000};
  const TakenBack second{.x = 300, .y = 2, .user = 0, .from = 1, .is_drawn = true};
  {
    TestStorage room(options());
    LoggedTick tick = tick_of(1, kStart, 5, 1);
    tick.taken_back = {first, second};
    room.storage->append(std::move(tick));
    LoggedTick without_pixels{.tick = 2, .time_ms = kStart + 1, .chunks = {}, .taken_back = {first}};
    room.storage->append(std::move(without_pixels));
  }
  TestStorage room(options());
  EXPECT_THAT(taken_back(room, kFirst).value(),
              ElementsAre(LogTakenBack{.tick = 1, .what = first}, LogTakenBack{.tick = 2, .what = first}));
  EXPECT_THAT(taken_back(room, kFirst, 2).value(), ElementsAre(LogTakenBack{.tick = 2, .what = first}));
  EXPECT_THAT(taken_back(room, kSecond).value(), ElementsAre(LogTakenBack{.tick = 1, .what = second}));
  EXPECT_THAT(taken_back(room, {.x = 2, .y = 0}).value(), IsEmpty());
}

TEST_F(TakenBackTest, ADamagedRowIsAnError) {
  {
    TestStorage room(options());
    draw_and_take_back(room);
  }
  execute("UPDATE taken_back SET data = x'0500000001'");
  TestStorage room(options());
  EXPECT_THAT(taken_back(room, kFirst).error(), HasSubstr("a row of what was taken back"));
}

TEST_F(TakenBackTest, APixelThatWasGivenBackIsTheOldStroke) {
  TestStorage room(options());
  draw_and_take_back(room);
  const RestoredPixel blank{.x = 5, .y = 0, .author = 0, .colour = kBlank};
  EXPECT_EQ(without_user(room, 1), (Restoration{.from = 1, .pixels = {blank}}));
  EXPECT_THAT(without_user(room, 2).pixels, IsEmpty()) << "nothing of his is left";
  EXPECT_THAT(without_user(room, 1, kStart + 5).pixels, IsEmpty()) << "he has drawn before";
}

TEST_F(TakenBackTest, InAFileOfAnEarlierVersionItCountsAsDrawnAgain) {
  {
    TestStorage room(options());
    draw_and_take_back(room);
  }
  execute("DROP TABLE taken_back");
  TestStorage room(options());
  EXPECT_EQ(room.error, "");
  EXPECT_THAT(without_user(room, 1, kStart + 15).pixels,
              ElementsAre(RestoredPixel{.x = 5, .y = 0, .author = 2, .colour = 2, .tick = 0}))
      << "beneath what he has drawn since";
  room.storage->append(tick_of(4, kStart + 30, 5, kBlank, 0));
  EXPECT_THAT(without_user(room, 1).pixels, IsEmpty()) << "blank: nothing is left";
}

TEST_F(TakenBackTest, ALogThatIsCutForgetsWhatWasTakenBackBefore) {
  StorageOptions small = options();
  small.full_sync = false;
  small.history_bytes_max = 400'000;
  TestStorage room(small);
  PastLog::Span span;
  std::uint64_t tick = 1;
  for (; tick <= 400 && span.is_complete; ++tick) {
    LoggedTick next = tick_of(tick, kStart + static_cast<std::int64_t>(tick), 5, 3);
    for (std::uint32_t k = 1; k < 1000; ++k) {
      next.chunks[0].pixels.push_back({.index = static_cast<std::uint16_t>(k * 65), .user = 1, .colour = 3});
    }
    next.taken_back = {{.x = 6, .y = 0, .user = 2, .from = tick}};
    room.storage->append(std::move(next));
    span = room.ask([](PastLog& log) { return log.span(); }).value();
  }
  ASSERT_FALSE(span.is_complete);
  // The cut is made one chunk after another, between two commits.
  while (taken_back(room, kFirst).value().front().tick == 1) {
    room.storage->append(tick_of(tick, kStart + static_cast<std::int64_t>(tick), 5, 3));
    ++tick;
  }
  EXPECT_FALSE(taken_back(room, kFirst).value().empty());
}

}  // namespace
}  // namespace fanfare::canvasstore
