#include "rpc/worker_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fanfare::rpc {
namespace {

// Blocks the threads of a pool until it is destroyed.
struct Gate {
  std::promise<void> opens;
  std::shared_future<void> open{opens.get_future()};
  std::atomic<int> entered = 0;

  void enter() {
    ++entered;
    open.wait();
  }
  void await(int count) const {
    while (entered < count) std::this_thread::yield();
  }
};

bool push(WorkerPool& pool, UniqueFunction<void()> run, const std::string& client = "one") {
  return pool.push(client, {.run = std::move(run), .refuse = {}});
}

TEST(WorkerPool, RunsTasksInTheOrderOfTheCalls) {
  std::vector<int> ran;
  std::promise<void> done;
  WorkerPool pool({.threads = 1, .queue_max = 100});
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(push(pool, [&ran, &done, i] {
      ran.push_back(i);
      if (i == 49) done.set_value();
    }));
  }
  done.get_future().wait();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(ran[static_cast<std::size_t>(i)], i);
}

TEST(WorkerPool, TheQueueTakesItsLimitAndNotOneMore) {
  Gate gate;
  WorkerPool pool({.threads = 2, .queue_max = 3});
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(push(pool, [&] { gate.enter(); }));
  gate.await(2);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(push(pool, [&] { gate.enter(); })) << i;
  EXPECT_EQ(pool.waiting(), 3U);
  EXPECT_FALSE(push(pool, [] {}));
  gate.opens.set_value();
  gate.await(5);
}

// With a queue of zero, only what a thread takes at once is accepted.
TEST(WorkerPool, WithoutAQueueFreeThreadsStillWork) {
  Gate gate;
  WorkerPool pool({.threads = 2, .queue_max = 0});
  EXPECT_TRUE(push(pool, [&] { gate.enter(); }));
  EXPECT_TRUE(push(pool, [&] { gate.enter(); }));
  EXPECT_FALSE(push(pool, [&] { gate.enter(); }));
  gate.opens.set_value();
}

TEST(WorkerPool, ADestroyedPoolWaitsForWhatRunsAndDropsWhatWaits) {
  Gate gate;
  const auto held = std::make_shared<int>(0);
  std::atomic<bool> finished = false;
  std::atomic<bool> ran_late = false;
  auto pool = std::make_unique<WorkerPool>(WorkerPoolOptions{.threads = 1, .queue_max = 3});
  push(*pool, [&] {
    gate.enter();
    finished = true;
  });
  gate.await(1);
  push(*pool, [&, held] { ran_late = true; });
  EXPECT_EQ(held.use_count(), 2);
  std::thread opens([&] {
    while (held.use_count() > 1) std::this_thread::yield();  // the waiting task is dropped first
    gate.opens.set_value();
  });
  // The unrun tasks are destroyed before the destructor waits.
  pool.reset();
  opens.join();
  EXPECT_TRUE(finished);
  EXPECT_FALSE(ran_late);
}

TEST(WorkerPool, ATaskIsRefusedOnceOrDropped) {
  Gate gate;
  int refused = 0;
  const auto held = std::make_shared<int>(0);
  auto pool = std::make_unique<WorkerPool>(WorkerPoolOptions{.threads = 1, .queue_max = 1});
  const auto push_refusable = [&] {
    return pool->push("one", {.run = [held] {}, .refuse = [&refused] { ++refused; }});
  };
  ASSERT_TRUE(push(*pool, [&] { gate.enter(); }));
  gate.await(1);
  EXPECT_FALSE(pool->is_here());
  EXPECT_TRUE(push_refusable());
  EXPECT_EQ(refused, 0);
  EXPECT_FALSE(push_refusable());
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(held.use_count(), 2);  // the one that waits
  gate.opens.set_value();
  pool->stop();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(push_refusable());  // nobody hears of it after the end
  EXPECT_EQ(refused, 1);
}

TEST(WorkerPool, AThreadKnowsItsPool) {
  WorkerPool pool({.threads = 1, .queue_max = 1});
  WorkerPool other({.threads = 1, .queue_max = 1});
  std::promise<std::pair<bool, bool>> is_here;
  ASSERT_TRUE(push(pool, [&] { is_here.set_value({pool.is_here(), other.is_here()}); }));
  EXPECT_EQ(is_here.get_future().get(), (std::pair{true, false}));
}

TEST(WorkerPool, ClientsTakeTurns) {
  std::string ran;
  Gate gate;
  std::promise<void> done;
  WorkerPool pool({.threads = 1, .queue_max = 100});
  ASSERT_TRUE(push(pool, [&] { gate.enter(); }));
  gate.await(1);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(push(pool, [&ran] { ran += 'a'; }, "a"));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(push(pool, [&ran] { ran += 'b'; }, "b"));
  ASSERT_TRUE(push(pool, [&ran] { ran += 'c'; }, "c"));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(push(pool, [&ran] { ran += 'a'; }, "a"));
  ASSERT_TRUE(push(pool, [&done] { done.set_value(); }, "a"));
  gate.opens.set_value();
  done.get_future().wait();
  EXPECT_EQ(ran, "abcabaaaaa");
}

TEST(WorkerPool, AFullQueueMakesRoomForAClientWithFewerTasks) {
  std::string ran;
  std::string refused;
  Gate gate;
  std::promise<void> done;
  WorkerPool pool({.threads = 1, .queue_max = 4});
  ASSERT_TRUE(push(pool, [&] { gate.enter(); }));
  gate.await(1);
  const auto add = [&](const std::string& client) {
    return pool.push(client, {.run =
                                  [&, client] {
                                    ran += client;
                                    if (ran.size() == 4) done.set_value();
                                  },
                              .refuse = [&, client] { refused += client; }});
  };
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(add("a"));
  EXPECT_FALSE(add("a"));
  EXPECT_TRUE(add("b"));
  EXPECT_TRUE(add("b"));
  EXPECT_EQ(refused, "aaa");  // the fifth, and two that were displaced
  // Two and two: no one has two more than the other.
  EXPECT_FALSE(add("b"));
  EXPECT_FALSE(add("a"));
  EXPECT_EQ(refused, "aaaba");
  EXPECT_TRUE(add("c"));
  EXPECT_EQ(refused.size(), 6U);
  // Nobody has two more than it.
  EXPECT_FALSE(add("c"));
  // A fourth client finds one client with two; after that every one has one.
  EXPECT_TRUE(add("d"));
  EXPECT_FALSE(add("e"));
  EXPECT_EQ(pool.waiting(), 4U);
  gate.opens.set_value();
  done.get_future().wait();
  std::ranges::sort(ran);
  EXPECT_EQ(ran, "abcd");
}

}  // namespace
}  // namespace fanfare::rpc
