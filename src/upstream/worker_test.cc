#include "upstream/worker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <future>
#include <thread>
#include <vector>

#include "base/thread_state_for_tests.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;

TEST(Worker, RunsPostedWorkOnItsOwnThreadInOrder) {
  Worker worker;
  std::vector<int> order;
  bool on_thread = false;
  worker.run([&] { on_thread = worker.on_thread(); });
  EXPECT_TRUE(on_thread);
  EXPECT_FALSE(worker.on_thread());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(worker.post([&order, i] { order.push_back(i); }));
  worker.run([] {});
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(Worker, TakesWorkFromManyThreads) {
  Worker worker;
  int count = 0;  // used only by the worker: no lock
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) worker.post([&count] { ++count; });
    });
  }
  for (auto& thread : threads) thread.join();
  worker.run([] {});
  EXPECT_EQ(count, 4000);
}

TEST(Worker, TimersRunInTheOrderOfTheirTimes) {
  Worker worker;
  std::vector<int> order;
  std::promise<void> last;
  worker.run([&] {
    const Instant now = worker.now();
    worker.call_at(now + 3ms, [&] {
      order.push_back(3);
      last.set_value();
    });
    worker.call_at(now + 1ms, [&] { order.push_back(1); });
    worker.call_at(now + 2ms, [&] { order.push_back(2); });
    worker.call_at(now - 1h, [&] { order.push_back(0); });
    worker.call_at(now + 1ms, [&] { order.push_back(1); });
  });
  last.get_future().wait();
  worker.run([] {});
  EXPECT_EQ(order, (std::vector<int>{0, 1, 1, 2, 3}));
}

// A thread that sleeps does so at nearly every look.
TEST(Worker, WithBusyPollingItDoesNotSleepBetweenTwoCalls) {
  Worker worker({.busy_poll = 1h});
  pid_t thread = 0;
  // Some of them come while it is awake.
  for (int i = 0; i < 100; ++i) worker.run([&] { thread = this_thread_id(); });
  int asleep = 0;
  for (int i = 0; i < 1000; ++i) asleep += thread_state(thread) == 'S' ? 1 : 0;
  EXPECT_LT(asleep, 100);
  std::promise<void> later;
  worker.run([&] { worker.call_after(1ms, [&] { later.set_value(); }); });
  later.get_future().wait();
}

TEST(Worker, ACancelledTimerNeverRuns) {
  Worker worker;
  bool ran = false;
  std::promise<void> later;
  worker.run([&] {
    const TimerId timer = worker.call_after(1ms, [&] { ran = true; });
    EXPECT_TRUE(worker.cancel(timer));
    EXPECT_FALSE(worker.cancel(timer));
    EXPECT_FALSE(worker.cancel(TimerId{}));
    worker.call_after(2ms, [&] { later.set_value(); });
  });
  later.get_future().wait();
  EXPECT_FALSE(ran);
}

TEST(Worker, ATimerThatRearmsItselfForNowStarvesNobody) {
  Worker worker;
  std::atomic<bool> enough = false;
  std::function<void()> again = [&] {
    if (!enough) worker.call_at(worker.now(), [&] { again(); });
  };
  worker.run([&] { again(); });
  worker.run([&] { enough = true; });  // would hang if the timers never yielded
  worker.run([] {});
}

TEST(Worker, StopRunsWhatWasPostedAndRefusesWhatComesLater) {
  Worker worker;
  int ran = 0;
  bool timer_ran = false;
  worker.run([&] { worker.call_after(1h, [&] { timer_ran = true; }); });
  for (int i = 0; i < 10; ++i) worker.post([&] { ++ran; });
  worker.stop();
  worker.stop();
  EXPECT_EQ(ran, 10);
  EXPECT_FALSE(timer_ran);
  EXPECT_FALSE(worker.post([&] { ++ran; }));
  worker.run([&] { ran = 100; });  // runs here at once: no other thread is left
  EXPECT_EQ(ran, 100);
}

// Posts itself again each time it runs.
struct Endless {
  Worker* worker;
  std::atomic<int>* runs;
  void operator()() {
    ++*runs;
    worker->post(Endless(*this));
  }
};

TEST(Worker, StopIsBoundedWhateverIsPosted) {
  Worker worker({.stop_limit = 50ms});
  std::atomic<int> runs = 0;
  for (int i = 0; i < 100; ++i) worker.post(Endless{.worker = &worker, .runs = &runs});
  // A full queue of work that takes hours, one millisecond each.
  for (int i = 0; i < 1'000'000; ++i) {
    worker.post([] {
      const Instant until = system_clock().now() + 1ms;
      while (system_clock().now() < until) continue;
    });
  }
  testing::internal::CaptureStderr();
  const Instant begun = system_clock().now();
  worker.stop();
  EXPECT_LT(system_clock().now() - begun, 30s);  // of 1,000 s
  EXPECT_NE(testing::internal::GetCapturedStderr().find("upstream_work_dropped_at_stop"), std::string::npos);
  EXPECT_GT(runs, 0);
}

TEST(Worker, AListenerIsToldEvenWhereTheTimeForTheQueueIsOver) {
  struct Listener final : Executor::StopListener {
    void worker_stopping() override { told = true; }
    bool told = false;
  } listener;
  Worker worker({.stop_limit = 0ms});
  worker.run([&] { worker.attach(listener); });
  worker.stop();
  EXPECT_TRUE(listener.told);
}

TEST(Worker, WhatIsDroppedAtTheStopIsRunByTheOneWhoWaitsForIt) {
  Worker worker({.stop_limit = 0ms});
  std::promise<void> stopping;
  std::promise<void> go_on;
  worker.post([&] {
    stopping.set_value();
    go_on.get_future().wait();
  });
  stopping.get_future().wait();
  bool ran = false;
  std::thread waiting([&] { worker.run([&] { ran = true; }); });
  worker.begin_stop();
  go_on.set_value();
  waiting.join();
  EXPECT_TRUE(ran);
}

TEST(Worker, ATaskWithoutMemoryCostsNoOtherTask) {
  Worker worker;
  std::promise<void> later;
  worker.post([] { throw std::bad_alloc(); });
  worker.run([&] {
    worker.call_at(worker.now(), [] { throw std::bad_alloc(); });
    worker.call_at(worker.now(), [&] { later.set_value(); });
  });
  EXPECT_EQ(later.get_future().wait_for(60s), std::future_status::ready);
}

TEST(Worker, ItsThreadTakesNoSignals) {
  Worker worker;
  bool blocked = false;
  worker.run([&] {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    blocked = sigismember(&mask, SIGPIPE) == 1 && sigismember(&mask, SIGTERM) == 1;
  });
  EXPECT_TRUE(blocked);
}

}  // namespace
}  // namespace fanfare::upstream
