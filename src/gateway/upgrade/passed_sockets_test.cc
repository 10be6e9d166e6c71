#include "gateway/upgrade/passed_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/inherited.h"
#include "net/socket.h"

namespace fanfare::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ListenerPlan on_port(std::uint16_t port, std::string name = "http") {
  return {.at = {.port = port}, .socket_name = std::move(name)};
}

ListenerPlan on_path(std::string path) {
  return {.at = {.unix_path = std::move(path)}};
}

TEST(PassedSockets, AreNamedByTheAddressesOfTheConfiguration) {
  ServePlan plan;
  plan.listeners = {on_port(4000), on_port(0), on_port(0, "metrics"), on_path("/run/a.sock")};
  plan.admin = AdminPlan{.listeners = {{.unix_path = "/run/admin.sock"}, {.port = 0}}};
  EXPECT_THAT(names_of_listeners(plan), ElementsAre("main 127.0.0.1 4000 #0", "main 127.0.0.1 0 #0",
                                                    "main 127.0.0.1 0 #1", "main unix /run/a.sock #0"));
  EXPECT_THAT(names_of_admin_listeners(plan),
              ElementsAre("admin unix /run/admin.sock #0", "admin 127.0.0.1 0 #0"));
}

TEST(PassedSockets, APortOfAnotherListenerIsNamedWithTheAdvice) {
  const auto one = net::listen_on(*net::Address::parse("127.0.0.1", 0));
  const auto other = net::listen_on(*net::Address::parse("127.0.0.1", 0));
  ASSERT_TRUE(one && other);
  const std::uint16_t port = net::local_address(one->get())->port();
  const std::uint16_t admin_port = net::local_address(other->get())->port();
  ServePlan plan;
  plan.listeners = {on_port(port), on_port(0), on_path("/run/a.sock")};
  plan.admin = AdminPlan{.listeners = {{.host = "0.0.0.0", .port = admin_port}}};
  const std::string name = std::to_string(port);
  const std::string admin_name = std::to_string(admin_port);
  const std::vector<PassedSocket> same{{.name = "main 127.0.0.1 " + name + " #0", .fd = one->get()},
                                       {.name = "admin 0.0.0.0 " + admin_name + " #0", .fd = other->get()}};
  EXPECT_EQ(moved_listeners(plan, same), "");
  EXPECT_EQ(moved_listeners(plan, {}), "");
  const std::vector<PassedSocket> others{
      {.name = "main 127.0.0.1 0 #0", .fd = one->get()},
      {.name = "admin 127.0.0.1 " + admin_name + " #0", .fd = other->get()}};
  EXPECT_EQ(moved_listeners(plan, others),
            "port " + name + " of 127.0.0.1 is in use by the process that is upgraded, as 127.0.0.1:" + name +
                "; port " + admin_name +
                " of 0.0.0.0 is in use by the process that is upgraded, as 127.0.0.1:" + admin_name +
                ". An upgrade cannot move a port to another listener; restart the server");
}

TEST(PassedSockets, GoToTheListenersOfTheirNames) {
  ServePlan plan;
  plan.listeners = {on_port(0), on_port(0, "metrics"), on_path("/run/a.sock")};
  plan.admin = AdminPlan{.listeners = {{.unix_path = "/run/admin.sock"}}};
  const std::vector<PassedSocket> sockets{{.name = "main 127.0.0.1 0 #0", .fd = 10},
                                          {.name = "main 127.0.0.1 0 #1", .fd = 11},
                                          {.name = "main unix /run/a.sock #0", .fd = 12},
                                          {.name = "admin unix /run/admin.sock #0", .fd = 13},
                                          {.name = "main 127.0.0.1 0 #0", .fd = 14}};
  const ServePlan before = plan;
  take_passed(plan, sockets);
  EXPECT_EQ(plan.listeners[0].at.inherited_fd, 10);
  EXPECT_THAT(plan.listeners[0].at.more_fds, ElementsAre(14));
  EXPECT_TRUE(plan.listeners[0].at.is_ours);
  EXPECT_EQ(plan.listeners[1].at.inherited_fd, 11);
  EXPECT_EQ(plan.listeners[2].at.inherited_fd, 12);
  EXPECT_EQ(plan.admin->listeners[0].inherited_fd, 13);
  EXPECT_THAT(sockets_of(plan), ElementsAre(10, 11, 12, 13, 14));
  // So the next successor finds them, too.
  EXPECT_EQ(names_of_listeners(plan), names_of_listeners(before));
  EXPECT_EQ(names_of_admin_listeners(plan), names_of_admin_listeners(before));
}

TEST(PassedSockets, OfAnAddressThatIsServedNoMoreAreUnwantedAndANewOneOpensItsOwn) {
  ServePlan plan;
  plan.listeners = {on_port(4001)};
  const std::vector<PassedSocket> sockets{{.name = "main 127.0.0.1 4000 #0", .fd = 10},
                                          {.name = "admin unix /run/admin.sock #0", .fd = 11}};
  take_passed(plan, sockets);
  EXPECT_EQ(plan.listeners[0].at.inherited_fd, std::nullopt);
  EXPECT_THAT(sockets_of(plan), IsEmpty());
}

TEST(PassedSockets, OfAServiceManagerStayItsOwn) {
  ServePlan plan;
  plan.listeners = {on_port(4000), on_port(9090, "metrics")};
  take_inherited(plan,
                 std::vector<net::InheritedSocket>{{.name = "http", .fd = 3}, {.name = "http", .fd = 4}});
  EXPECT_THAT(names_of_listeners(plan),
              ElementsAre("manager http", "manager http", "main 127.0.0.1 9090 #0"));

  ServePlan next;
  next.listeners = {on_port(4000), on_port(9090, "metrics")};
  take_passed(next, std::vector<PassedSocket>{{.name = "manager http", .fd = 20},
                                              {.name = "manager http", .fd = 21},
                                              {.name = "main 127.0.0.1 9090 #0", .fd = 22}});
  ASSERT_EQ(next.listeners.size(), 3U);
  EXPECT_EQ(next.listeners[0].at.inherited_fd, 20);
  EXPECT_EQ(next.listeners[1].at.inherited_fd, 21);
  EXPECT_FALSE(next.listeners[1].at.is_ours);
  EXPECT_EQ(next.listeners[2].at.inherited_fd, 22);
  EXPECT_TRUE(next.listeners[2].at.is_ours);
  EXPECT_EQ(names_of_listeners(next), names_of_listeners(plan));
}

}  // namespace
}  // namespace fanfare::gateway
