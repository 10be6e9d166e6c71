#include "gateway/upgrade/obstacle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fanfare::gateway {
namespace {

using testing::HasSubstr;

ServePlan plan_with(Backend backend) {
  ServePlan plan;
  plan.networks.push_back({.backend = std::move(backend)});
  return plan;
}

TEST(UpgradeObstacle, IsNoneForWhatIsInTheNodes) {
  EXPECT_EQ(upgrade_obstacle(plan_with(UpstreamBackend{}), false), "");
}

TEST(UpgradeObstacle, IsADrain) {
  EXPECT_THAT(upgrade_obstacle(plan_with(UpstreamBackend{}), true), HasSubstr("undrain"));
}

TEST(UpgradeObstacle, IsAChainInMemory) {
  EXPECT_THAT(upgrade_obstacle(plan_with(DevBackend{}), false), HasSubstr("the built-in chain"));
}

TEST(UpgradeObstacle, IsARoomOnDiskAndNotOneInMemory) {
  ServePlan plan = plan_with(UpstreamBackend{});
  plan.canvas.emplace().rooms.push_back({.spec = {.name = "sketch"}});
  EXPECT_EQ(upgrade_obstacle(plan, false), "");
  plan.canvas->rooms.push_back({.spec = {.name = "main"}, .file = "/var/lib/fanfare/main.canvas"});
  EXPECT_THAT(upgrade_obstacle(plan, false),
              HasSubstr("main of the canvas writes to /var/lib/fanfare/main.canvas"));
}

}  // namespace
}  // namespace fanfare::gateway
