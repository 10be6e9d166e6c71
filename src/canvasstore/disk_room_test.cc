// Rooms on disk: what survives, what is found out to be lost, a disk that is full, and the past.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "canvasserver/log_past.h"
#include "canvasstore/storage_for_tests.h"

namespace fanfare::canvasstore {
namespace {

using canvas::Colour;
using canvas::ModerationEvent;
using canvas::Restoration;
using canvas::RestoredPixel;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class DiskRoomTest : public testing::Test {
 protected:
  StorageOptions options(bool full_sync = true, std::uint64_t epoch = 7) {
    return {.path = folder_.file(), .full_sync = full_sync, .new_epoch = epoch};
  }
  // Runs in a process of its own, which is killed with -9 at the end.
  template <typename Run>
  static void run_and_kill(const StorageOptions& options, Run run) {
    const pid_t child = ::fork();
    if (child == 0) {
      TestStorage room(options);
      run(room);
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }

  Folder folder_;
};

TEST_F(DiskRoomTest, WhatWasDrawnSurvivesARestart) {
  {
    TestStorage room(options());
    EXPECT_EQ(room.loaded.epoch, 7U);
    EXPECT_THAT(room.loaded.chunks, IsEmpty());
    room.storage->append(tick_of(1, kStart, 5, 0xff0000, 3));
    room.storage->append(tick_of(2, kStart + 16, 6, 0x00ff00, 4));
  }
  TestStorage room(options(true, 8));
  EXPECT_EQ(room.loaded.epoch, 7U);
  EXPECT_EQ(room.loaded.last_tick, 2U);
  EXPECT_EQ(room.loaded.last_user, 4U);
  EXPECT_EQ(room.loaded.pixels_total, 2U);
  EXPECT_EQ(room.loaded.first_ms, kStart);
  EXPECT_EQ(room.loaded.last_ms, kStart + 16);
  ASSERT_THAT(room.loaded.chunks, SizeIs(1));
  const auto& chunk = room.loaded.chunks.front();
  EXPECT_EQ(chunk.version, 2U);
  EXPECT_EQ(chunk.pixels.colours[5], 0xff0000U);
  EXPECT_EQ(chunk.pixels.colours[6], 0x00ff00U);
  EXPECT_EQ(chunk.pixels.colours[7], 0xffffffU) << "the background";
  EXPECT_EQ(chunk.pixels.users[5], 3U);
  EXPECT_EQ(chunk.pixels.users[7], 0U);
}

TEST_F(DiskRoomTest, APaletteHasOneByteAColour) {
  StorageOptions small = options();
  small.spec = {
      .width = 300, .height = 10, .background = 0x000000, .palette = {0xff0000, 0x000000, 0x0000ff}};
  {
    TestStorage room(small);
    room.storage->append(tick_of(1, kStart, 5, 2));
  }
  TestStorage room(small);
  EXPECT_EQ(room.loaded.chunks.at(0).pixels.colours[5], 2U);
  EXPECT_EQ(room.loaded.chunks.at(0).pixels.colours[6], 1U);
}

TEST_F(DiskRoomTest, AKilledProgramWithFullSyncLosesNothingThatWasCommitted) {
  run_and_kill(options(), [](TestStorage& room) {
    for (std::uint64_t i = 1; i <= 20; ++i) {
      room.storage->append(
          tick_of(i, kStart + static_cast<std::int64_t>(i), 5, static_cast<canvas::Colour>(i)));
      room.wait_committed(i);
      room.storage->mark_shown(i);
    }
  });
  TestStorage room(options(true, 8));
  EXPECT_EQ(room.loaded.epoch, 7U) << "versions go on";
  EXPECT_EQ(room.loaded.last_tick, 20U);
  EXPECT_EQ(room.loaded.chunks.at(0).pixels.colours[5], 20U);
}

TEST_F(DiskRoomTest, TicksThatWereShownAndLostBeginANewEpoch) {
  StorageOptions slow = options(false);
  slow.sync_interval = std::chrono::hours(1);
  run_and_kill(slow, [](TestStorage& room) {
    room.storage->append(tick_of(1, kStart, 5, 1));
    room.at(kStart);  // reading the past commits
    room.storage->append(tick_of(2, kStart + 1, 5, 2));
    room.storage->mark_shown(2);
  });
  slow.new_epoch = 8;
  TestStorage room(slow);
  EXPECT_EQ(room.loaded.epoch, 8U);
  EXPECT_EQ(room.loaded.last_tick, 2U) << "the number is not used again";
  EXPECT_EQ(room.loaded.chunks.at(0).pixels.colours[5], 1U);
}

TEST_F(DiskRoomTest, AKilledProgramThatHadCommittedAllKeepsItsEpoch) {
  run_and_kill(options(false), [](TestStorage& room) {
    room.storage->append(tick_of(1, kStart, 5, 1));
    room.storage->mark_shown(1);
    room.at(kStart);
  });
  TestStorage room(options(false, 8));
  EXPECT_EQ(room.loaded.epoch, 7U);
}

TEST_F(DiskRoomTest, WithoutFullSyncTicksAreCommittedWithinTheInterval) {
  StorageOptions quick = options(false);
  quick.sync_interval = std::chrono::milliseconds(50);
  TestStorage room(quick);
  const auto start = std::chrono::steady_clock::now();
  room.storage->append(tick_of(1, kStart, 5, 1));
  EXPECT_TRUE(room.wait_committed(1));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(25));
}

TEST_F(DiskRoomTest, OneProgramAtATime) {
  const TestStorage first(options());
  const TestStorage second(options());
  EXPECT_THAT(second.error, HasSubstr("another program uses it"));
}

TEST_F(DiskRoomTest, AnotherCanvasOrAnotherProgramsFileIsLeftAlone) {
  {
    const TestStorage room(options());
  }
  StorageOptions other = options();
  other.spec.width = 999;
  EXPECT_THAT(TestStorage(other).error, HasSubstr("has another canvas (1000x1000 #ffffff) than"));
  const Folder elsewhere;
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(elsewhere.file().c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "CREATE TABLE t (x)", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  EXPECT_THAT(TestStorage({.path = elsewhere.file()}).error, HasSubstr("is not the file of a canvas room"));
  EXPECT_THAT(TestStorage({.path = "/nowhere/main.canvas"}).error, HasSubstr("No such file"));
}

TEST_F(DiskRoomTest, APaletteMayGrow) {
  StorageOptions small = options();
  small.spec.palette = {0xffffff, 0xff0000};
  {
    const TestStorage room(small);
  }
  small.spec.palette.push_back(0x00ff00);
  EXPECT_EQ(TestStorage(small).error, "");
  small.spec.palette[1] = 0x0000ff;
  EXPECT_THAT(TestStorage(small).error, HasSubstr("has another canvas"));
}

TEST_F(DiskRoomTest, ADamagedRowIsAnErrorAndNoPicture) {
  {
    TestStorage room(options());
    room.storage->append(tick_of(1, kStart, 5, 1));
  }
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(folder_.file().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "UPDATE changes SET version = 9", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  EXPECT_THAT(TestStorage(options()).error, HasSubstr("the file of the room is damaged"));
}

// A limit on the size of files, as a full disk.
TEST_F(DiskRoomTest, AFullDiskRefusesDrawingAndRecoversByItself) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  {
    TestStorage room(options());
    room.storage->append(tick_of(1, kStart, 5, 1));
    ASSERT_TRUE(room.wait_committed(1));
    rlimit full = before;
    full.rlim_cur = 4096;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
    room.storage->append(tick_of(2, kStart + 1, 6, 2));
    EXPECT_TRUE(room.wait([&] { return room.storage->is_failing(); }));
    EXPECT_FALSE(room.storage->accepts());
    EXPECT_EQ(room.storage->committed(), 1U);
    room.storage->mark_shown(2);
    EXPECT_EQ(room.ask([](PastLog& log) { return log.span(); }).error(),
              "the disk is full or fails: the past is not complete");
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_TRUE(room.wait([&] { return room.storage->accepts(); }));
    EXPECT_EQ(room.storage->committed(), 2U);
    EXPECT_GE(room.storage->metrics().failures, 1U);
  }
  std::signal(SIGXFSZ, ignored);
  const TestStorage room(options(true, 8));
  EXPECT_EQ(room.loaded.epoch, 7U);
  EXPECT_EQ(room.loaded.chunks.at(0).pixels.colours[6], 2U);
}

TEST_F(DiskRoomTest, ThePastIsAsItWas) {
  for (const bool in_memory : {false, true}) {
    SCOPED_TRACE(in_memory);
    StorageOptions there = options();
    if (in_memory) there.path.clear();
    TestStorage room(there);
    room.storage->append(tick_of(1, kStart, 5, 1));
    room.storage->append(tick_of(2, kStart + 100, 5, 2));
    room.storage->append(tick_of(3, kStart + 200, 5, 3));
    EXPECT_EQ(room.colour_at(kStart - 1, 5), ~0U) << "nobody had drawn";
    EXPECT_EQ(room.colour_at(kStart, 5), 1U);
    EXPECT_EQ(room.colour_at(kStart + 99, 5), 1U);
    EXPECT_EQ(room.colour_at(kStart + 100, 5), 2U);
    EXPECT_EQ(room.colour_at(kStart + 999, 5), 3U);
  }
}

TEST_F(DiskRoomTest, TimeNeverGoesBack) {
  TestStorage room(options());
  room.storage->append(tick_of(1, kStart, 5, 1));
  room.storage->append(tick_of(2, kStart - 5000, 5, 2));
  EXPECT_EQ(room.colour_at(kStart - 1, 5), ~0U);
  EXPECT_EQ(room.colour_at(kStart, 5), 2U);
}

TEST_F(DiskRoomTest, SnapshotsGiveTheSameAsTheWholeLog) {
  constexpr std::uint64_t kTicks = kSnapshotRows * 3 + 10;
  std::vector<canvas::Colour> expected(canvas::kChunkPixels, 0xffffff);
  std::vector<canvas::Colour> in_between;
  SeededRandom random(4711);
  {
    TestStorage room(options(false));
    for (std::uint64_t i = 1; i <= kTicks; ++i) {
      const auto index = static_cast<std::uint16_t>(random.next_u64());
      const auto colour = static_cast<canvas::Colour>(random.next_u64() & 0xffffffU);
      expected[index] = colour;
      room.storage->append(tick_of(i, kStart + static_cast<std::int64_t>(i), index, colour));
      if (i == kTicks / 2) in_between = expected;
      // So that snapshots are made meanwhile.
      if (i % 512 == 0) room.at(kStart);
    }
    EXPECT_EQ(room.at(kStart + kTicks).at(0).pixels.colours, expected);
    EXPECT_EQ(room.at(kStart + kTicks / 2).at(0).pixels.colours, in_between);
  }
  const TestStorage room(options(false));
  EXPECT_EQ(room.loaded.chunks.at(0).pixels.colours, expected);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(folder_.file().c_str(), &database), SQLITE_OK);
  {
    store::Statement count(database, "SELECT count(*) FROM snapshots");
    ASSERT_TRUE(count.step());
    EXPECT_GE(count.number(0), 3);
  }
  sqlite3_close(database);
}

TEST_F(DiskRoomTest, OldPartsGoPastHistoryBytesMaxAndTheRestStays) {
  StorageOptions small = options(false);
  small.history_bytes_max = 400'000;
  TestStorage room(small);
  std::uint64_t tick = 0;
  std::vector<canvas::Colour> expected(canvas::kChunkPixels, 0xffffff);
  PastLog::Span span;
  for (int i = 0; i < 400 && span.is_complete; ++i) {
    LoggedTick next{.tick = ++tick, .time_ms = kStart + static_cast<std::int64_t>(tick), .chunks = {}};
    auto& chunk = next.chunks.emplace_back();
    chunk.version = tick;
    for (std::uint32_t k = 0; k < 1000; ++k) {
      const auto index = static_cast<std::uint16_t>(k * 65 + tick);
      chunk.pixels.push_back({.index = index, .user = 1, .colour = static_cast<canvas::Colour>(tick)});
      expected[index] = static_cast<canvas::Colour>(tick);
    }
    room.storage->append(std::move(next));
    span = room.ask([](PastLog& log) { return log.span(); }).value();
  }
  EXPECT_FALSE(span.is_complete) << "the limit was reached";
  EXPECT_GT(span.first_ms, kStart + 1);
  EXPECT_EQ(room.at(kStart + 1'000'000).at(0).pixels.colours, expected);
  const auto too_old =
      room.ask([](PastLog& log) { return log.chunks_at({.width = 10, .height = 10}, kStart, false); });
  EXPECT_THAT(too_old.error(), HasSubstr("historyBytesMax"));
  EXPECT_TRUE(
      room.ask([&](PastLog& log) { return log.chunks_at({.width = 10, .height = 10}, span.first_ms, false); })
          .has_value());
}

TEST_F(DiskRoomTest, ModeratorsSeeWhoDrewAndTakeItBack) {
  TestStorage room(options());
  room.storage->append(tick_of(1, kStart, 5, 1, 1));
  room.storage->append(tick_of(2, kStart + 10, 5, 2, 2));
  room.storage->append(tick_of(3, kStart + 20, 5, 3, 1));
  room.storage->append(tick_of(4, kStart + 30, 6, 4, 1));
  room.storage->append(tick_of(5, kStart + 40, 7, 5, 2, kSecond, 1));
  const canvas::RoomSpec spec;
  room.ask([&](PastLog& log) {
    canvasserver::LogPast past(log, spec);
    EXPECT_THAT(past.drawn_at(5, 0, 2),
                ElementsAre(canvas::PastPixel{.user = 1, .colour = 3, .time_ms = kStart + 20},
                            canvas::PastPixel{.user = 2, .colour = 2, .time_ms = kStart + 10}));
    EXPECT_THAT(past.drawn_at(9, 9, 2), IsEmpty());
    constexpr Colour kBlank = 0xffffff;
    // Since the beginning: the other's pixel at 5, nothing at 6.
    EXPECT_THAT(
        past.without_user(1, 0).pixels,
        testing::UnorderedElementsAre(RestoredPixel{.x = 5, .y = 0, .author = 0, .colour = kBlank},
                                      RestoredPixel{.x = 5, .y = 0, .author = 2, .colour = 2, .tick = 2},
                                      RestoredPixel{.x = 6, .y = 0, .author = 0, .colour = kBlank}));
    EXPECT_EQ(past.without_user(1, kStart + 25),
              (Restoration{.from = 4, .pixels = {{.x = 6, .y = 0, .author = 0, .colour = kBlank}}}));
    const auto then = past.as_at({.x = 0, .y = 0, .width = 1000, .height = 1000}, kStart + 20);
    EXPECT_EQ(then.from, 4U);
    EXPECT_THAT(then.pixels, testing::UnorderedElementsAre(
                                 RestoredPixel{.x = 6, .y = 0, .author = 0, .colour = kBlank},
                                 RestoredPixel{.x = 263, .y = 0, .author = 0, .colour = kBlank}));
    EXPECT_THAT(past.as_at({.x = 5, .y = 0, .width = 1, .height = 1}, kStart + 5).pixels,
                ElementsAre(RestoredPixel{.x = 5, .y = 0, .author = 1, .colour = 1}));
    EXPECT_EQ(past.problem(), "");
    return log.users({2, 99}).value().at(0).name;
  });
}

TEST_F(DiskRoomTest, BansComeBack) {
  const auto ban = [](std::int64_t until_ms) {
    return ModerationEvent{.kind = ModerationEvent::Kind::ban,
                           .moderator = 1,
                           .user = 2,
                           .until_ms = until_ms,
                           .identity = "s:someone",
                           .payers = {"192.0.2.1", "2001:db8::/64"}};
  };
  {
    TestStorage room(options());
    room.storage->append({.tick = 1, .time_ms = kStart, .chunks = {}, .events = {ban(5)}});
    room.storage->append({.tick = 2, .time_ms = kStart, .chunks = {}, .events = {ban(9)}});
  }
  EXPECT_THAT(TestStorage(options()).loaded.bans, ElementsAre(ban(9)));
}

TEST_F(DiskRoomTest, TheLastTimeOfTheLogIsKnownAfterARestart) {
  {
    TestStorage room(options());
    EXPECT_EQ(room.loaded.last_tick_ms, 0);
    room.storage->append(tick_of(1, kStart + 500, 5, 1));
    room.storage->append({.tick = 2, .time_ms = kStart + 600, .chunks = {}, .events = {ModerationEvent{}}});
  }
  EXPECT_EQ(TestStorage(options()).loaded.last_tick_ms, kStart + 600) << "also of a tick without pixels";
}

TEST_F(DiskRoomTest, AMomentBeforeTheLogIsRefusedAndAllOfTheLogIsNot) {
  StorageOptions small = options(false);
  small.history_bytes_max = 400'000;
  TestStorage room(small);
  PastLog::Span span;
  for (std::uint64_t tick = 1; tick <= 400 && span.is_complete; ++tick) {
    LoggedTick next{.tick = tick, .time_ms = kStart + static_cast<std::int64_t>(tick), .chunks = {}};
    auto& chunk = next.chunks.emplace_back();
    chunk.version = tick;
    for (std::uint32_t k = 0; k < 1000; ++k) {
      chunk.pixels.push_back({.index = static_cast<std::uint16_t>(k * 65 + tick), .user = 1, .colour = 3});
    }
    room.storage->append(std::move(next));
    span = room.ask([](PastLog& log) { return log.span(); }).value();
  }
  ASSERT_FALSE(span.is_complete);
  const canvas::RoomSpec spec;
  room.ask([&](PastLog& log) {
    const canvas::Area all = canvas::Area::whole(spec);
    canvasserver::LogPast old(log, spec);
    EXPECT_THAT(old.as_at(all, span.first_ms - 1).pixels, IsEmpty());
    EXPECT_TRUE(old.is_too_old());
    EXPECT_THAT(old.problem(), HasSubstr(std::to_string(span.first_ms)));
    canvasserver::LogPast of_user(log, spec);
    EXPECT_THAT(of_user.without_user(1, span.first_ms - 1).pixels, IsEmpty());
    EXPECT_TRUE(of_user.is_too_old());
    canvasserver::LogPast known(log, spec);
    EXPECT_FALSE(known.as_at(all, span.first_ms).pixels.empty());
    EXPECT_FALSE(known.without_user(1, 0).pixels.empty());
    EXPECT_EQ(known.problem(), "");
    return 0;
  });
  room.storage.reset();
  TestStorage again(small);
  const auto later = again.ask([](PastLog& log) { return log.span(); }).value();
  EXPECT_EQ(again.storage->metrics().past_from_ms, later.first_ms);
}

}  // namespace
}  // namespace fanfare::canvasstore
