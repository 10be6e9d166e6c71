#include "gateway/listeners.h"

#include <gtest/gtest.h>

namespace fanfare::gateway {
namespace {

ServePlan plan_with(std::vector<ListenerPlan> listeners) {
  ServePlan plan;
  plan.listeners = std::move(listeners);
  return plan;
}

// "routed 5" and such; a listener that opens its own socket is shown by its port.
std::string shown(const ServePlan& plan) {
  std::string text;
  for (const ListenerPlan& listener : plan.listeners) {
    text += std::string(socket_name(listener.surface)) + " " +
            (listener.inherited_fd ? "fd " + std::to_string(*listener.inherited_fd)
                                   : "port " + std::to_string(listener.port)) +
            "\n";
  }
  return text;
}

const ListenerPlan kHttp{.port = 4000, .surface = Surface::routed};
const ListenerPlan kMetrics{.port = 9090, .surface = Surface::metrics};

TEST(Listeners, WithoutPassedSocketsStayAsTheyAre) {
  ServePlan plan = plan_with({kHttp, kMetrics});
  take_inherited(plan, {});
  EXPECT_EQ(shown(plan), "http port 4000\nmetrics port 9090\n");
}

TEST(Listeners, PassedSocketStandsForTheOneOfItsName) {
  ServePlan plan = plan_with({kHttp, kMetrics});
  take_inherited(plan, std::vector<net::InheritedSocket>{{.name = "metrics", .fd = 3}});
  EXPECT_EQ(shown(plan), "http port 4000\nmetrics fd 3\n");
}

TEST(Listeners, SocketsWithoutAKnownNameAreForTheFirst) {
  ServePlan plan = plan_with({kHttp, kMetrics});
  take_inherited(
      plan, std::vector<net::InheritedSocket>{{.name = "fanfare.socket", .fd = 3}, {.name = "", .fd = 4}});
  EXPECT_EQ(shown(plan), "http fd 3\nhttp fd 4\nmetrics port 9090\n");
}

TEST(Listeners, PassedSocketsStandForAllAddressesOfASurface) {
  ListenerPlan path = kHttp;
  path.unix_path = "/run/fanfare.sock";
  ServePlan plan = plan_with({kHttp, path});
  take_inherited(plan, std::vector<net::InheritedSocket>{{.name = "http", .fd = 3}});
  EXPECT_EQ(shown(plan), "http fd 3\n");
}

TEST(Listeners, UnixPathComesWithItsMode) {
  ListenerPlan path = kHttp;
  path.unix_path = "/run/fanfare.sock";
  path.unix_mode = 0660;
  const auto listener = listener_of(path);
  ASSERT_TRUE(listener) << listener.error();
  EXPECT_EQ(listener->address.text(), "unix:/run/fanfare.sock");
  EXPECT_EQ(listener->unix_mode, 0660U);
  path.unix_path = std::string(200, 'x');
  EXPECT_NE(listener_of(path).error().find("Unix socket path"), std::string::npos);
}

TEST(Listeners, OnlyLoopbackItselfIsOnLoopback) {
  const auto is_local = [](ListenerPlan plan) { return is_on_loopback(plan); };
  for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"})
    EXPECT_TRUE(is_local({.host = host})) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.7", "2001:db8::1"})
    EXPECT_FALSE(is_local({.host = host})) << host;
  // For proxies: their clients are elsewhere.
  EXPECT_FALSE(is_local({.host = "127.0.0.1", .proxy_protocol = true}));
  EXPECT_FALSE(is_local({.unix_path = "/run/fanfare.sock"}));
}

TEST(Listeners, AnInheritedSocketIsWhereItIs) {
  const auto is_local = [](const char* host) {
    const auto socket = net::listen_on(*net::Address::parse(host, 0));
    ListenerPlan plan{.host = "127.0.0.1"};
    plan.inherited_fd = socket->get();
    return is_on_loopback(plan);
  };
  EXPECT_TRUE(is_local("127.0.0.1"));
  EXPECT_FALSE(is_local("0.0.0.0"));
}

}  // namespace
}  // namespace fanfare::gateway
