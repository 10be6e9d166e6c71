// Readers of a room's past: their order, and those whose result nobody waits for any more.
#include <gmock/gmock.h>

#include <thread>

#include "canvasstore/storage_for_tests.h"

namespace fanfare::canvasstore {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class PastTasksTest : public testing::Test {
 protected:
  StorageOptions options() const {
    return {
        .path = folder_.file(), .spec = {.width = 1000, .height = 1000}, .full_sync = true, .new_epoch = 7};
  }

 private:
  Folder folder_;
};

// Pictures, which anybody may ask for, leave places for moderators, who do not wait behind them.
void expect_moderators_first(const StorageOptions& options) {
  std::promise<void> go_on;
  auto gate = go_on.get_future().share();
  std::promise<void> began;
  std::vector<char> order;  // of the reader's thread, until the room ends
  {
    TestStorage room(options);
    const auto ask = [&](RoomStorage::PastUse use, char name) {
      return room.storage->read_past([&order, name](PastLog&) { order.push_back(name); }, use, nullptr);
    };
    EXPECT_TRUE(room.storage->read_past(
        [&](PastLog&) {
          began.set_value();
          gate.wait();
        },
        RoomStorage::PastUse::picture, nullptr));
    began.get_future().wait();
    for (std::size_t i = 1; i < kPastPicturesMax; ++i) EXPECT_TRUE(ask(RoomStorage::PastUse::picture, 'p'));
    EXPECT_FALSE(ask(RoomStorage::PastUse::picture, 'p'));
    // On disk, they are in the reader's queue before the moderators ask: what is asked before a commit is there before the next
    // one. In memory one thread does all.
    const auto hand_over = [&](std::uint64_t tick) {
      for (const std::uint64_t next : {tick, tick + 1}) {
        room.storage->append(tick_of(next, kStart, 5, 1));
        EXPECT_TRUE(options.path.empty() || room.wait_committed(next));
      }
    };
    hand_over(1);
    for (std::size_t i = kPastPicturesMax; i < kPastTasksMax; ++i) {
      EXPECT_TRUE(ask(RoomStorage::PastUse::moderation, 'm'));
    }
    EXPECT_FALSE(ask(RoomStorage::PastUse::moderation, 'm'));
    hand_over(3);
    go_on.set_value();
  }
  ASSERT_THAT(order, SizeIs(kPastTasksMax - 1));
  EXPECT_EQ(std::string(order.begin(), order.begin() + 32), std::string(32, 'm'));
}

TEST_F(PastTasksTest, AsManyMayAskForThePastAsTheLimitsSay) {
  expect_moderators_first(options());
}

TEST_F(PastTasksTest, ARoomInMemoryHasTheSameLimits) {
  StorageOptions in_memory = options();
  in_memory.path.clear();
  expect_moderators_first(in_memory);
}

// What nobody waits for is not computed: neither the one that is abandoned while it runs, nor those that the end of the
// room finds.
void expect_abandoned_work_ends(const StorageOptions& options) {
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  std::vector<std::string> problems;  // of the reader's thread, until the room ends
  const auto read = [&problems](PastLog& log) {
    const auto chunks = log.chunks_at({.width = 1000, .height = 1000}, kStart + 1000, false);
    problems.push_back(chunks ? "" : chunks.error());
  };
  {
    TestStorage room(options);
    room.storage->append(tick_of(1, kStart, 5, 1));
    EXPECT_TRUE(room.wait_committed(1));
    const auto ask = [&](RoomStorage::PastTask task, const canvasserver::Abandonment& abandonment) {
      EXPECT_TRUE(room.storage->read_past(std::move(task), RoomStorage::PastUse::picture, abandonment));
    };
    ask(
        [&](PastLog& log) {
          read(log);
          gone->store(true);
          read(log);
        },
        gone);
    ask(read, gone);
    ask(read, nullptr);
    std::promise<void> began;
    ask(
        [&](PastLog& log) {
          began.set_value();
          while (log.is_wanted()) std::this_thread::yield();
          read(log);
        },
        nullptr);
    began.get_future().wait();
    ask(read, nullptr);
  }
  const std::string unwanted(canvasserver::kPastUnwanted);
  EXPECT_THAT(problems, ElementsAre("", unwanted, unwanted, "", unwanted, unwanted));
}

TEST_F(PastTasksTest, WhatNobodyWaitsForIsNotComputed) {
  expect_abandoned_work_ends(options());
  StorageOptions in_memory = options();
  in_memory.path.clear();
  expect_abandoned_work_ends(in_memory);
}

}  // namespace
}  // namespace fanfare::canvasstore
