// Timers longer than the range of a table's clock, which wraps after 49 days.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

using LongTimesTest = LoopServerTest;

INSTANTIATE_TEST_SUITE_P(Kinds, LongTimesTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

constexpr Duration kOnceAround = std::chrono::milliseconds(std::int64_t{1} << 32);

TEST_P(LongTimesTest, ATimeoutBeyondTheClockNeverRunsOut) {
  std::vector<net::Descriptor> peers;  // all stay open
  for (const Duration timeout : {kOnceAround, kOnceAround + 1ms, kDurationMax, Duration::max()}) {
    settings_.ping_interval = 1s;
    settings_.pong_timeout = timeout;
    settings_.idle_timeout = timeout;
    endpoint_.events.clear();
    peers.push_back(open_websocket());
    pass(5s);  // a ping without a reply
    EXPECT_EQ(endpoint_.events, std::vector<std::string>{"open"}) << timeout.count();
  }
}

TEST_P(LongTimesTest, AnIntervalBeyondTheClockNeverComes) {
  settings_.ping_interval = kOnceAround;
  const auto peer = open_websocket();
  pass(5s);
  EXPECT_EQ(read_now(peer), "");
}

TEST_P(LongTimesTest, ATimerAtTheEndOfTheTypeHarmsNobody) {
  bool ran = false;
  loop_->call_after(Duration::max(), [&] { ran = true; });
  pass(1s);
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace fanfare::session
