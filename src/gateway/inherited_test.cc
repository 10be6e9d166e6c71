#include "gateway/inherited.h"

#include <gtest/gtest.h>

#include "gateway/mount_plans.h"

namespace fanfare::gateway {
namespace {

ServePlan plan_with(std::vector<ListenerPlan> listeners) {
  ServePlan plan;
  plan.listeners = std::move(listeners);
  return plan;
}

// "routed 5" and the like; a listener that opens its own socket is shown by its port.
std::string shown(const ServePlan& plan) {
  std::string text;
  for (const ListenerPlan& listener : plan.listeners) {
    text += listener.socket_name + " " +
            (listener.at.inherited_fd ? "fd " + std::to_string(*listener.at.inherited_fd)
                                      : "port " + std::to_string(listener.at.port)) +
            "\n";
  }
  return text;
}

const ListenerPlan kHttp{.at = {.port = 4000}, .mounts = routed_mounts(false)};
const ListenerPlan kMetrics{.at = {.port = 9090}, .socket_name = "metrics", .mounts = page_mounts(true)};

TEST(TakeInherited, WithoutPassedSocketsStayAsTheyAre) {
  ServePlan plan = plan_with({kHttp, kMetrics});
  take_inherited(plan, {});
  EXPECT_EQ(shown(plan), "http port 4000\nmetrics port 9090\n");
}

TEST(TakeInherited, PassedSocketStandsForTheOneOfItsName) {
  ServePlan plan = plan_with({kHttp, kMetrics});
  take_inherited(plan, std::vector<net::InheritedSocket>{{.name = "metrics", .fd = 3}});
  EXPECT_EQ(shown(plan), "http port 4000\nmetrics fd 3\n");
}

TEST(TakeInherited, SocketsWithoutAKnownNameAreForTheFirst) {
  ServePlan plan = plan_with({kHttp, kMetrics});
  take_inherited(
      plan, std::vector<net::InheritedSocket>{{.name = "fanfare.socket", .fd = 3}, {.name = "", .fd = 4}});
  EXPECT_EQ(shown(plan), "http fd 3\nhttp fd 4\nmetrics port 9090\n");
}

TEST(TakeInherited, PassedSocketsStandForAllAddressesOfAName) {
  ListenerPlan path = kHttp;
  path.at.unix_path = "/run/fanfare.sock";
  ServePlan plan = plan_with({kHttp, path});
  take_inherited(plan, std::vector<net::InheritedSocket>{{.name = "http", .fd = 3}});
  EXPECT_EQ(shown(plan), "http fd 3\n");
}

}  // namespace
}  // namespace fanfare::gateway
