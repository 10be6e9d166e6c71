// Loops that look for the next event for a while before they sleep.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "base/thread_state_for_tests.h"
#include "net/loop_for_tests.h"

namespace fanfare::net {
namespace {

using namespace std::chrono_literals;

// A loop that runs in a thread of its own.
class BusyPollTest : public testing::TestWithParam<LoopKind> {
 protected:
  // An io_uring belongs to the thread that made it.
  void start(Duration busy_poll) {
    const auto made = std::make_shared<std::promise<void>>();
    std::future<void> is_made = made->get_future();
    thread_ = std::thread([this, busy_poll, made] {
      thread_id_.store(this_thread_id());
      loop_ = std::move(Loop::create({.kind = GetParam(), .busy_poll = busy_poll}).value());
      made->set_value();
      loop_->run();
    });
    is_made.wait();
    after(0ms).wait();
  }
  ~BusyPollTest() override {
    loop_->stop();
    thread_.join();
  }
  // Ready when a timer of the loop has fired.
  std::future<void> after(Duration wait) {
    auto fired = std::make_shared<std::promise<void>>();
    std::future<void> future = fired->get_future();
    loop_->post([this, wait, fired] { loop_->call_after(wait, [fired] { fired->set_value(); }); });
    return future;
  }
  std::unique_ptr<Loop> loop_;
  std::thread thread_;
  std::atomic<pid_t> thread_id_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Kinds, BusyPollTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& kind) { return kind.param == LoopKind::epoll ? "epoll" : "uring"; });

TEST_P(BusyPollTest, DoesNotSleepWithinItsTime) {
  start(1h);
  // A loop that sleeps does so at nearly every look.
  int asleep = 0;
  for (int i = 0; i < 1000; ++i) asleep += thread_state(thread_id_) == 'S' ? 1 : 0;
  EXPECT_LT(asleep, 100);
  after(1ms).wait();
}

TEST_P(BusyPollTest, SleepsAfterwardsAndIsWoken) {
  start(1ms);
  for (int i = 0; i < 3; ++i) {
    while (thread_state(thread_id_) != 'S') std::this_thread::yield();
    after(2ms).wait();
  }
}

}  // namespace
}  // namespace fanfare::net
