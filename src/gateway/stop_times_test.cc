#include "gateway/stop_times.h"

#include <gtest/gtest.h>

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

TEST(ClosingSpread, ClosesSoManyASecondUnlessATimeIsSet) {
  EXPECT_EQ(closing_spread({}, 0, 500, 10s), 0s);
  EXPECT_EQ(closing_spread({}, 1, 500, 10s), 2ms);
  EXPECT_EQ(closing_spread({}, 1000, 500, 10s), 2s);
  EXPECT_EQ(closing_spread(3s, 1000, 500, 10s), 3s);
  EXPECT_EQ(closing_spread(0s, 1000, 500, 10s), 0s);
}

TEST(ClosingSpread, IsNeverLongerThanTheStop) {
  EXPECT_EQ(closing_spread({}, 5000, 500, 10s), 10s);
  EXPECT_EQ(closing_spread({}, 5001, 500, 10s), 10s);
  EXPECT_EQ(closing_spread({}, SIZE_MAX, 1, 10s), 10s);
  EXPECT_EQ(closing_spread(11s, 0, 500, 10s), 10s);
}

TEST(StopTimes, AreWithinTheTimeoutUnlessTheProcessIsReplaced) {
  ServePlan plan;
  plan.shutdown_timeout = 10s;
  EXPECT_EQ(stop_times(plan, 1000, false).spread, 2s);
  EXPECT_EQ(stop_times(plan, 1000, false).deadline, 10s);
  EXPECT_EQ(stop_times(plan, 100'000, false).spread, (10s - part_of_workers(10s)) * 3 / 4);
  EXPECT_EQ(stop_times(plan, 100'000, true).spread, 200s);
  EXPECT_EQ(stop_times(plan, 100'000, true).deadline, 210s);
  EXPECT_EQ(stop_times(plan, SIZE_MAX, true).spread, kReplacedSpreadMax);
  plan.shutdown_spread = 10s;
  EXPECT_EQ(stop_times(plan, 1, false).spread, 10s - part_of_workers(10s));
  EXPECT_EQ(stop_times(plan, 1, true).spread, 10s);
}

TEST(ComebackAfter, IsTheEndOfTheProcessOrTheNextSecond) {
  const ServePlan plan;
  EXPECT_EQ(comeback_after(plan, 0s, false), 1s);
  EXPECT_EQ(comeback_after(plan, 1s, false), 1s);
  EXPECT_EQ(comeback_after(plan, 1001ms, false), 2s);
  EXPECT_EQ(comeback_after(plan, 30s, false), 30s);
  EXPECT_EQ(comeback_after(plan, 31s, false), 30s);
  EXPECT_EQ(comeback_after(plan, 60s, true), 1s);
}

TEST(ComebackAfter, OtherInstancesOfAFleetAreThereAlready) {
  ServePlan plan;
  plan.relay.emplace();
  EXPECT_EQ(comeback_after(plan, 30s, false), 1s);
  EXPECT_EQ(stop_times(plan, 1000, false).comeback, 1s);
}

TEST(ComebackAfter, IsWhatIsConfigured) {
  ServePlan plan;
  plan.relay.emplace();
  plan.shutdown_retry_after = 4001ms;
  EXPECT_EQ(comeback_after(plan, 30s, false), 5s);
  EXPECT_EQ(comeback_after(plan, 30s, true), 5s);
  EXPECT_EQ(stop_times(plan, 1000, false).comeback, 5s);
}

}  // namespace
}  // namespace fanfare::gateway
