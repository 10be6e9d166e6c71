// The gateway's side of the admin API.

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include "gateway/admin_configuration.h"
#include "gateway/admin_plan.h"
#include "gateway/admin_subject.h"
#include "gateway/reload_requests.h"
#include "jsonrpc/value.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

TEST(AdminSocket, HasADefaultPath) {
  EXPECT_EQ(default_admin_socket("/run/user/1000"), "/run/user/1000/fanfare.sock");
  EXPECT_EQ(default_admin_socket(nullptr), "/run/fanfare/admin.sock");
  EXPECT_EQ(default_admin_socket(""), "/run/fanfare/admin.sock");
}

TEST(AdminUpstream, TheReasonIsTheFirstThatApplies) {
  upstream::MemberStatus status;
  EXPECT_EQ(upstream_reason(status), "");
  EXPECT_TRUE(is_upstream_used(status));
  status.distrusted = true;
  EXPECT_TRUE(upstream_reason(status).contains("proved an answer wrong"));
  status.limited = true;
  EXPECT_TRUE(upstream_reason(status).contains("limits the rate"));
  status.lagging = true;
  status.lag = 12;
  EXPECT_TRUE(upstream_reason(status).contains("12 blocks behind"));
  status.stalled = true;
  EXPECT_TRUE(upstream_reason(status).contains("stands still"));
  EXPECT_TRUE(is_upstream_used(status)) << "after the others, but it is";
  status.checked = false;
  EXPECT_FALSE(is_upstream_used(status));
  status.available = false;
  status.failure = "connect: refused";
  status.retry_in = 1500ms;
  EXPECT_EQ(upstream_reason(status), "suspended after failures (connect: refused); tried again within 2 s");
  status.wrong_chain = "it is on chain 5";
  EXPECT_TRUE(upstream_reason(status).contains("chain 5"));
  status.enabled = false;
  EXPECT_EQ(upstream_reason(status), "disabled by the operator");
}

TEST(AdminConfiguration, IsJsonWithoutSecrets) {
  ServePlan plan;
  plan.networks.push_back(
      {.project = "main",
       .chain_id = 1,
       .poll = {},
       .backend = UpstreamBackend{{.id = "a",
                                   .url = "https://user:s3cret@node.example/v3/s3cret?key=s3cret",
                                   .headers = {{"Authorization", "Bearer s3cret"}}}}});
  plan.admin = AdminPlan{.listeners = {{.unix_path = "/run/a.sock", .unix_mode = 0600}}};
  const std::string text = configuration_text(plan);
  ASSERT_TRUE(jsonrpc::is_valid_json(text)) << text;
  EXPECT_FALSE(text.contains("s3cret")) << text;
  EXPECT_TRUE(text.contains("node.example")) << text;
  EXPECT_TRUE(text.contains("unix:/run/a.sock, mode 0600")) << text;
}

// The main thread waits for the signal; here it is blocked, and looked at.
TEST(ReloadRequests, AskTheMainThreadAndReportToAll) {
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &hangup, &before);
  ReloadRequests requests;
  std::vector<std::string> heard;
  requests.ask([&](const ReloadReport& report) { heard.push_back("a " + report.changes.front()); });
  requests.ask([&](const ReloadReport& report) { heard.push_back("b " + report.changes.front()); });
  int received = 0;
  ASSERT_EQ(sigwait(&hangup, &received), 0);
  EXPECT_EQ(received, SIGHUP);
  for (ReloadRequests::Done& done : requests.take()) done({.applied = true, .changes = {"keys"}});
  EXPECT_EQ(heard, (std::vector<std::string>{"a keys", "b keys"}));
  EXPECT_TRUE(requests.take().empty());
  const timespec none{};
  sigtimedwait(&hangup, nullptr, &none);  // one that a second kill() may have left
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace fanfare::gateway
