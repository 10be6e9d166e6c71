#include "gateway/reload/admin_diff.h"

#include <gmock/gmock.h>

#include <string>

#include "gateway/mount_plans.h"

namespace fanfare::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ServePlan with_admin(std::vector<server::ListenerOptions> listeners, std::string group = {}) {
  ServePlan plan;
  plan.admin = AdminPlan{.listeners = std::move(listeners), .group = std::move(group)};
  return plan;
}

std::vector<std::string> lines_from(const ServePlan& running, const ServePlan& wanted) {
  const PlanDiff diff = diff_plans(running, wanted);
  if (!diff.needs_restart()) {
    EXPECT_EQ(diff.result, wanted);
  }
  std::vector<std::string> all;
  for (const PlanChange& change : diff.changes) all.push_back(change.line());
  return all;
}

const server::ListenerOptions kPath{.unix_path = "/run/a.sock", .unix_mode = 0600};
const server::ListenerOptions kPort{.port = 9000};

TEST(AdminDiff, ListenersComeAndGoByTheirAddress) {
  const ServePlan none;
  EXPECT_THAT(lines_from(none, with_admin({kPath, kPort})),
              ElementsAre("+ admin listener unix:/run/a.sock", "+ admin listener 127.0.0.1:9000"));
  EXPECT_THAT(lines_from(with_admin({kPath, kPort}), none),
              ElementsAre("- admin listener unix:/run/a.sock", "- admin listener 127.0.0.1:9000"));
  EXPECT_THAT(lines_from(with_admin({kPath}), with_admin({kPort, kPath})),
              ElementsAre("+ admin listener 127.0.0.1:9000"));
  server::ListenerOptions moved = kPath;
  moved.unix_path = "/run/b.sock";
  EXPECT_THAT(lines_from(with_admin({kPath}), with_admin({moved})),
              ElementsAre("- admin listener unix:/run/a.sock", "+ admin listener unix:/run/b.sock"));
  EXPECT_THAT(lines_from(with_admin({kPath}), with_admin({kPath})), IsEmpty());
}

TEST(AdminDiff, ASocketThatStaysChangesItsModeAndGroup) {
  server::ListenerOptions open = kPath;
  open.unix_mode = 0660;
  EXPECT_THAT(lines_from(with_admin({kPath}), with_admin({open}, "operators")),
              ElementsAre("~ admin.mode: 0600 -> 0660", "~ admin.group: none -> operators"));
}

TEST(AdminDiff, TlsOfAPortThatStaysNeedsARestart) {
  server::ListenerOptions secure = kPort;
  secure.tls = {.certificate_file = "/a.pem", .key_file = "/a.key"};
  const PlanDiff diff = diff_plans(with_admin({kPort}), with_admin({secure}));
  ASSERT_EQ(diff.changes.size(), 1U);
  EXPECT_EQ(diff.changes[0].line(), "! admin listener 127.0.0.1:9000: tls (needs a restart)");
  EXPECT_EQ(diff.result, with_admin({kPort}));
}

// As one of the server's own ports, a socket of an earlier process is like our own.
TEST(AdminDiff, ASocketOfAnEarlierProcessIsNoDifference) {
  server::ListenerOptions passed = kPath;
  passed.inherited_fd = 7;
  passed.is_ours = true;
  EXPECT_THAT(lines_from(with_admin({passed}), with_admin({kPath})), IsEmpty());
  const PlanDiff again = diff_plans({}, with_admin({passed}));
  EXPECT_FALSE(again.result.admin->listeners[0].inherited_fd);
}

TEST(AdminDiff, TheSharedPortsFollow) {
  ServePlan running;
  running.listeners = {{.at = {.port = 4000}, .mounts = routed_mounts(false)}};
  ServePlan wanted = running;
  wanted.admin.emplace();
  wanted.listeners[0].mounts = admin_mounts();
  wanted.listeners.push_back({.at = {.port = 5000}});
  EXPECT_THAT(lines_from(running, wanted),
              ElementsAre("~ listener 127.0.0.1:4000: what is served there (metrics, web, streams, canvas, "
                          "admin)",
                          "+ listener 127.0.0.1:5000"));
}

TEST(AdminDiff, TheDashboardOnThePort) {
  ServePlan wanted = with_admin({kPort});
  wanted.admin->web_directory = "/usr/share/fanfare/web";
  EXPECT_THAT(lines_from(with_admin({kPort}), wanted), ElementsAre("~ admin: the dashboard on its port"));
}

}  // namespace
}  // namespace fanfare::gateway
