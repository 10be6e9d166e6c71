#include "gateway/upgrade/passed_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/inherited.h"

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
