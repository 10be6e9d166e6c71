#include "gateway/pool_options.h"

#include <gtest/gtest.h>

#include <chrono>

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

UpstreamPlan node(Duration timeout) {
  return {.id = "node", .url = "http://127.0.0.1:1", .headers = {}, .timeout = timeout};
}

TEST(PoolOptions, ANodesTimeoutOfTheFileIsTheTimeOfOneCall) {
  const auto one = pool_options("main/1", {node(60s)}, {});
  EXPECT_EQ(one.timeout, Duration(60s));
  const auto two = pool_options("main/1", {node(60s), node(5s)}, {});
  EXPECT_EQ(two.attempt_timeout, Duration(60s));
  EXPECT_EQ(two.timeout, Duration(120s));
}

TEST(PoolOptions, ShortTimeoutsLeaveTimeForTheOtherNodes) {
  const auto options = pool_options("main/1", {node(2s), node(2s)}, {});
  EXPECT_EQ(options.timeout, upstream::PoolOptions{}.timeout);
  EXPECT_EQ(options.attempt_timeout, upstream::PoolOptions{}.attempt_timeout);
}

TEST(PoolOptions, HedgingIsOffWithZero) {
  EXPECT_FALSE(pool_options("main/1", {node(2s)}, {.hedge_after = 0s}).hedge_after);
  EXPECT_EQ(pool_options("main/1", {node(2s)}, {.hedge_after = 3s}).hedge_after, Duration(3s));
}

}  // namespace
}  // namespace fanfare::gateway
