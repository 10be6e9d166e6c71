#include "gateway/reload/listener_conflicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fanfare::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

ServePlan plan_at(std::vector<server::ListenerOptions> places,
                  std::vector<server::ListenerOptions> admin = {}) {
  ServePlan plan;
  for (server::ListenerOptions& at : places) plan.listeners.push_back({.at = std::move(at), .mounts = {}});
  if (!admin.empty()) plan.admin.emplace().listeners = std::move(admin);
  return plan;
}

TEST(ListenerConflicts, NameBothKeysAndWhatToDo) {
  EXPECT_THAT(
      listener_conflicts(plan_at({{.port = 4000}}), plan_at({{.host = "0.0.0.0", .port = 4000}})),
      ElementsAre("server.httpPort: 0.0.0.0:4000 cannot be bound, because the running server listens at "
                  "127.0.0.1:4000 (server.httpPort), expected two reloads: one that moves or removes "
                  "that listener, and then this one"));
}

TEST(ListenerConflicts, OfEachPairOfRoles) {
  ServePlan running = plan_at({{.port = 4000}, {.port = 4001}}, {{.port = 4002}});
  running.listeners[1].socket_name = "metrics";
  ServePlan after = plan_at({{.port = 4000}, {.port = 4002}}, {{.port = 4001}});
  after.listeners[1].socket_name = "metrics";
  EXPECT_THAT(listener_conflicts(running, after), ElementsAre(StartsWith("metrics.port: 127.0.0.1:4002 "),
                                                              StartsWith("admin.port: 127.0.0.1:4001 ")));
  EXPECT_THAT(listener_conflicts(running, running), IsEmpty());
}

TEST(ListenerConflicts, OfOtherSpellings) {
  EXPECT_THAT(listener_conflicts(plan_at({{.port = 4000}}), plan_at({{.host = "localhost", .port = 4000}})),
              ElementsAre(HasSubstr("localhost:4000 cannot be bound")));
  EXPECT_THAT(listener_conflicts(plan_at({}, {{.unix_path = "/tmp/a.sock"}}),
                                 plan_at({{.unix_path = "/tmp/./a.sock"}})),
              ElementsAre(StartsWith("server.unixSocket: unix:/tmp/./a.sock ")));
}

TEST(ListenerConflicts, AreNoneWhereBothCanBeBound) {
  const ServePlan running = plan_at({{.port = 4000}, {.unix_path = "/tmp/a.sock"}, {.port = 0}});
  EXPECT_THAT(listener_conflicts(running, plan_at({{.host = "::", .port = 4000}})), IsEmpty()) << "IPv6 only";
  EXPECT_THAT(listener_conflicts(running, plan_at({{.host = "127.0.0.2", .port = 4000}})), IsEmpty());
  EXPECT_THAT(listener_conflicts(running, plan_at({{.port = 4001}, {.host = "0.0.0.0", .port = 0}})),
              IsEmpty());
  EXPECT_THAT(listener_conflicts(running, plan_at({{.unix_path = "/tmp/b.sock"}})), IsEmpty());
}

}  // namespace
}  // namespace fanfare::gateway
