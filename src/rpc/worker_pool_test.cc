#include "rpc/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
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

TEST(WorkerPool, RunsTasksInTheOrderOfTheCalls) {
  std::vector<int> ran;
  std::promise<void> done;
  WorkerPool pool({.threads = 1, .queue_max = 100});
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(pool.push([&ran, &done, i] {
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
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(pool.push([&] { gate.enter(); }));
  gate.await(2);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool.push([&] { gate.enter(); })) << i;
  EXPECT_EQ(pool.waiting(), 3U);
  EXPECT_FALSE(pool.push([] {}));
  gate.opens.set_value();
  gate.await(5);
}

// With a queue of zero, only what a thread takes at once is accepted.
TEST(WorkerPool, WithoutAQueueFreeThreadsStillWork) {
  Gate gate;
  WorkerPool pool({.threads = 2, .queue_max = 0});
  EXPECT_TRUE(pool.push([&] { gate.enter(); }));
  EXPECT_TRUE(pool.push([&] { gate.enter(); }));
  EXPECT_FALSE(pool.push([&] { gate.enter(); }));
  gate.opens.set_value();
}

TEST(WorkerPool, ADestroyedPoolWaitsForWhatRunsAndDropsWhatWaits) {
  Gate gate;
  const auto held = std::make_shared<int>(0);
  std::atomic<bool> finished = false;
  std::atomic<bool> ran_late = false;
  auto pool = std::make_unique<WorkerPool>(WorkerPoolOptions{.threads = 1, .queue_max = 3});
  pool->push([&] {
    gate.enter();
    finished = true;
  });
  gate.await(1);
  pool->push([&, held] { ran_late = true; });
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

}  // namespace
}  // namespace fanfare::rpc
