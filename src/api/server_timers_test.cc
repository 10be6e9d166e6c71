// The timers of a public server: on the chosen loop, set and cancelled by any thread.

#include "api/server_timers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "fanfare/server.h"

namespace fanfare {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class ServerTimersTest : public testing::TestWithParam<LoopKind> {
 protected:
  ServerOptions options() const { return {.port = 0, .threads = 2, .loop = GetParam()}; }

  // The thread that calls a timer of that loop.
  static std::thread::id thread_of(Server& server, std::size_t loop) {
    const auto thread = std::make_shared<std::promise<std::thread::id>>();
    EXPECT_TRUE(server.call_after(
        milliseconds(0), [thread] { thread->set_value(std::this_thread::get_id()); }, {.loop = loop}));
    return thread->get_future().get();
  }
};

INSTANTIATE_TEST_SUITE_P(BothLoops, ServerTimersTest, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

TEST_P(ServerTimersTest, CallsOnceAfterTheDelay) {
  std::promise<void> called;
  Server server(options());
  ASSERT_TRUE(server.start());
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(server.call_after(milliseconds(30), [&] { called.set_value(); }));
  called.get_future().get();
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(30));
}

TEST_P(ServerTimersTest, ANegativeDelayIsNone) {
  std::promise<void> called;
  Server server(options());
  ASSERT_TRUE(server.start());
  EXPECT_TRUE(server.call_after(milliseconds::min(), [&] { called.set_value(); }));
  called.get_future().get();
}

TEST_P(ServerTimersTest, CallsAgainUntilCancelledInTheHandler) {
  int calls = 0;
  ServerTimer timer;
  std::promise<int> later;
  Server server(options());
  timer = server.call_every(milliseconds(1), [&] {
    if (++calls < 3) return;
    EXPECT_TRUE(server.cancel(timer));
    EXPECT_FALSE(server.cancel(timer));
    // On the same loop, several intervals later.
    server.call_after(milliseconds(20), [&] { later.set_value(calls); });
  });
  EXPECT_TRUE(timer);
  ASSERT_TRUE(server.start());
  EXPECT_EQ(later.get_future().get(), 3);
}

TEST_P(ServerTimersTest, TheDelayOfATimerSetBeforeBeginsWithTheStart) {
  std::promise<std::chrono::steady_clock::time_point> called;
  Server server(options());
  EXPECT_TRUE(
      server.call_after(milliseconds(20), [&] { called.set_value(std::chrono::steady_clock::now()); }));
  const auto before_start = std::chrono::steady_clock::now();
  ASSERT_TRUE(server.start());
  EXPECT_GE(called.get_future().get() - before_start, milliseconds(20));
}

TEST_P(ServerTimersTest, RunOnTheChosenLoop) {
  std::promise<std::thread::id> early;
  Server server(options());
  EXPECT_EQ(server.loop_count(), 0U);
  server.call_after(milliseconds(0), [&] { early.set_value(std::this_thread::get_id()); }, {.loop = 3});
  ASSERT_TRUE(server.start());
  EXPECT_EQ(server.loop_count(), 2U);
  const std::thread::id first = thread_of(server, 0);
  const std::thread::id second = thread_of(server, 1);
  EXPECT_NE(first, second);
  EXPECT_NE(first, std::this_thread::get_id());
  EXPECT_EQ(thread_of(server, 2), first) << "modulo the number of loops";
  EXPECT_EQ(early.get_future().get(), second);
}

TEST_P(ServerTimersTest, CancelDestroysTheHandlerUnrun) {
  const auto alive = std::make_shared<int>();
  Server server(options());
  ASSERT_TRUE(server.start());
  const ServerTimer timer = server.call_after(hours(1), [alive] {});
  const ServerTimer repeated = server.call_every(hours(1), [alive] {});
  EXPECT_NE(timer.number, repeated.number);
  EXPECT_TRUE(server.cancel(timer));
  EXPECT_TRUE(server.cancel(repeated));
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_FALSE(server.cancel(timer));
  EXPECT_FALSE(server.cancel({}));
}

TEST_P(ServerTimersTest, ATimerThatWasCalledCannotBeCancelled) {
  std::promise<void> called;
  Server server(options());
  ASSERT_TRUE(server.start());
  const ServerTimer timer = server.call_after(milliseconds(0), [&] { called.set_value(); });
  called.get_future().get();
  EXPECT_FALSE(server.cancel(timer));
}

TEST_P(ServerTimersTest, AServerHasAsManyAsItsLimitAllows) {
  ServerOptions limited = options();
  limited.limits.timers_max = 2;
  const auto alive = std::make_shared<int>();
  Server server(limited);
  const ServerTimer first = server.call_after(hours(1), [] {});
  EXPECT_TRUE(first);
  ASSERT_TRUE(server.start());
  EXPECT_TRUE(server.call_every(hours(1), [] {}));
  EXPECT_FALSE(server.call_after(hours(1), [alive] {}));
  EXPECT_EQ(alive.use_count(), 1) << "a refused handler is destroyed";
  EXPECT_TRUE(server.cancel(first));
  EXPECT_TRUE(server.call_after(hours(1), [] {}));
}

TEST_P(ServerTimersTest, ALimitOfZeroRefusesEach) {
  ServerOptions limited = options();
  limited.limits.timers_max = 0;
  Server server(limited);
  EXPECT_FALSE(server.call_after(milliseconds(0), [] {}));
  ASSERT_TRUE(server.start());
  EXPECT_FALSE(server.call_every(milliseconds(1), [] {}));
}

TEST_P(ServerTimersTest, AnEmptyHandlerIsRefused) {
  Server server(options());
  EXPECT_FALSE(server.call_after(milliseconds(0), nullptr));
  EXPECT_FALSE(server.call_every(milliseconds(1), nullptr));
}

TEST_P(ServerTimersTest, AFullMailboxRefuses) {
  ServerOptions limited = options();
  limited.threads = 1;
  limited.limits.mailbox_tasks_max = 1;
  std::promise<void> busy;
  std::promise<void> go_on;
  Server server(limited);
  ASSERT_TRUE(server.start());
  server.call_after(milliseconds(0), [&] {
    busy.set_value();
    go_on.get_future().wait();
  });
  busy.get_future().wait();
  EXPECT_TRUE(server.call_after(hours(1), [] {}));
  EXPECT_FALSE(server.call_after(hours(1), [] {}));
  EXPECT_EQ(server.refused_tasks(), 1U);
  go_on.set_value();
}

TEST_P(ServerTimersTest, AThrowingHandlerIsLoggedAndARepeatedTimerContinues) {
  std::promise<void> again;
  int calls = 0;
  Server server(options());
  ASSERT_TRUE(server.start());
  const std::uint64_t before = server.stats().handler_exceptions;
  server.call_every(milliseconds(1), [&] {
    if (++calls == 2) again.set_value();
    throw std::runtime_error("the handler's");
  });
  again.get_future().get();
  EXPECT_GE(server.stats().handler_exceptions, before + 1);
  server.stop();
}

TEST_P(ServerTimersTest, AStopInAHandlerEndsTheServer) {
  Server server(options());
  server.call_after(milliseconds(0), [&] { EXPECT_EQ(server.stop(), 0U); });
  ASSERT_TRUE(server.start());
  server.run();
}

TEST_P(ServerTimersTest, TimersEndWithTheServer) {
  const auto alive = std::make_shared<int>();
  Server server(options());
  for (std::size_t loop = 0; loop < 2; ++loop) {
    server.call_every(milliseconds(1), [alive] {}, {.loop = loop});
    server.call_after(hours(1), [alive] {}, {.loop = loop});
  }
  ASSERT_TRUE(server.start());
  EXPECT_GT(alive.use_count(), 1);
  server.stop(milliseconds(0));
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_FALSE(server.call_after(milliseconds(0), [alive] {}));
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_P(ServerTimersTest, AStartThatFailsLeavesTheTimersForTheNext) {
  ServerOptions taken = options();
  Server other(options());
  ASSERT_TRUE(other.start());
  taken.port = other.port();
  std::promise<void> called;
  Server server(taken);
  server.call_after(milliseconds(0), [&] { called.set_value(); });
  ASSERT_FALSE(server.start());
  other.stop(milliseconds(0));
  ASSERT_TRUE(server.start());
  called.get_future().get();
}

TEST_P(ServerTimersTest, ThreadsSetAndCancelWhileTheLoopsRun) {
  std::atomic<int> calls = 0;
  std::atomic<int> cancelled = 0;
  Server server(options());
  ASSERT_TRUE(server.start());
  constexpr int kAskingThreads = 4;
  constexpr int kRounds = 100;
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < kAskingThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int round = 0; round < kRounds; ++round) {
          const ServerTimer timer =
              server.call_after(milliseconds(round % 3), [&] { ++calls; }, {.loop = thread});
          if (round % 2 == 0 && server.cancel(timer)) ++cancelled;
        }
      });
    }
  }
  // The last one of each loop comes after all others.
  for (std::size_t loop = 0; loop < 2; ++loop) {
    const auto last = std::make_shared<std::promise<void>>();
    server.call_after(milliseconds(10), [last] { last->set_value(); }, {.loop = loop});
    last->get_future().get();
  }
  EXPECT_EQ(calls + cancelled, kAskingThreads * kRounds);
}

}  // namespace
}  // namespace fanfare
