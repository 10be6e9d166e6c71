// What a caller with roles may call, whatever the spelling, and what it pays. Requests come through the parser, as
// they do from a client.

#include "gateway/call_permission.h"

#include <gtest/gtest.h>

#include <string>

#include "jsonrpc/request.h"

namespace fanfare::gateway {
namespace {

access::AccessPlan access_plan() {
  access::AccessPlan plan;
  plan.roles = {
      {.role = {.name = "reader",
                .methods = {.allow = {"*"}, .deny = {"eth_sendRaw*"}},
                .topics = {.allow = {"newHeads"}},
                .projects = {.allow = {"main"}},
                .networks = {.allow = {"1"}},
                .contracts = {.deny = {"0x00000000000000000000000000000000000000bb"}}},
       .limits = {.requests = {.per_second = 100, .burst = 1000}}},
      {.role = {.name = "admin",
                .methods = {.allow = {"admin_*", "debug_*", "eth_*"}},
                .projects = {.allow = {"*"}}}},
      {.role = {.name = "signer",
                .methods = {.allow = {"eth_*", "eth_sendTransaction", "eth_signTyped*"}},
                .projects = {.allow = {"main"}}}},
      {.role = {.name = "without logs",
                .methods = {.allow = {"eth_*"}, .deny = {"eth_getLogs"}},
                .projects = {.allow = {"main"}}}},
  };
  plan.costs = {{"eth_getLogs", 500}};
  return plan;
}

class CallPermissionTest : public testing::Test {
 protected:
  // "" if it may.
  std::string refusal(std::string_view json) {
    jsonrpc::Parser parser;
    const auto message = parser.parse(json);
    if (!message || message->requests.size() != 1 || !message->requests[0].fault.empty()) return "malformed";
    const auto refused = permission_.refusal(message->requests[0], caller_);
    return refused ? std::to_string(static_cast<int>(refused->code)) + " " + refused->message : "";
  }
  std::string refusal_of(std::string_view method, std::string_view params = "[]") {
    return refusal(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) + R"(","params":)" +
                   std::string(params) + "}");
  }
  void become(std::size_t role, std::optional<WallTime> expires_at = {}) {
    access::Principal principal{.name = "p", .roles = {plan_->roles[role].role}, .expires_at = expires_at};
    caller_.principal = std::make_shared<const access::Principal>(std::move(principal));
    caller_.payer = std::make_shared<access::Payer>(
        access::Payer::Share{.limits = std::make_shared<const access::Limits>(plan_->roles[role].limits),
                             .account = std::make_shared<access::Account>()},
        access::Payer::Share{});
  }

  ManualClock clock_;
  std::shared_ptr<const access::AccessPlan> plan_ = std::make_shared<const access::AccessPlan>(access_plan());
  AccessGate gate_{{.plan = plan_}, clock_};
  NetworkPlan network_{.project = "main",
                       .chain_id = 1,
                       .poll = {},
                       .backend = UpstreamBackend{{.id = "n", .url = "http://127.0.0.1:1", .headers = {}}},
                       .methods = {.allow = {}, .deny = {"eth_accounts"}}};
  CallPermission permission_{network_, &gate_};
  rpc::Caller caller_;
};

TEST_F(CallPermissionTest, ARoleGrantsWhatIsSafeAndTheProjectsDenialsStay) {
  become(0);
  EXPECT_EQ(refusal_of("eth_call", R"([{"to":"0x00000000000000000000000000000000000000aa"}])"), "");
  EXPECT_EQ(refusal_of("eth_blockNumber"), "");
  EXPECT_TRUE(refusal_of("eth_sendRawTransaction")
                  .starts_with("-32601 the method eth_sendRawTransaction is not granted"));
  EXPECT_TRUE(refusal_of("eth_accounts").starts_with("-32601 "));
}

TEST_F(CallPermissionTest, AStarDoesNotGrantWhatChangesANode) {
  become(0);
  for (const bool is_local : {false, true}) {
    caller_.is_local = is_local;
    for (const std::string_view method :
         {"admin_peers", "debug_traceTransaction", "debug_setHead", "personal_unlockAccount",
          "engine_newPayloadV4", "miner_start", "anvil_setBalance", "Anvil_setBalance", "evm_mine",
          "clique_propose", "eth_sign"}) {
      EXPECT_TRUE(refusal_of(method).starts_with("-32601 ")) << method;
    }
  }
}

TEST_F(CallPermissionTest, AllOfEthDoesNotGrantTheNodesOwnKeys) {
  become(1);
  EXPECT_EQ(refusal_of("eth_blockNumber"), "");
  for (const std::string_view method :
       {"eth_sendTransaction", "eth_sign", "eth_signTypedData_v4", "eth_resend", "ETH_SIGN"}) {
    EXPECT_TRUE(refusal_of(method).starts_with("-32601 ")) << method;
  }
  become(2);
  EXPECT_EQ(refusal_of("eth_sendTransaction", R"([{"to":"0x00000000000000000000000000000000000000aa"}])"),
            "");
  EXPECT_EQ(refusal_of("eth_signTypedData_v4"), "");
  EXPECT_TRUE(refusal_of("eth_sign").starts_with("-32601 "));
}

TEST_F(CallPermissionTest, ARoleThatNamesANamespaceHasIt) {
  become(1);
  EXPECT_EQ(refusal_of("admin_peers"), "");
  EXPECT_EQ(refusal_of("debug_traceTransaction"), "");
  EXPECT_EQ(refusal_of("debug_setHead"), "");
  EXPECT_TRUE(refusal_of("personal_unlockAccount").starts_with("-32601 "));
  EXPECT_TRUE(refusal_of("net_version").starts_with("-32601 "));
  EXPECT_TRUE(refusal_of("eth_accounts").starts_with("-32601 "));
}

TEST_F(CallPermissionTest, NoSpellingOfANameGetsAround) {
  for (const std::size_t role : {0U, 1U}) {
    become(role);
    for (const std::string_view name :
         {"Personal_unlockAccount", "PERSONAL_UNLOCKACCOUNT", " personal_unlockAccount",
          "personal_unlockAccount ", R"(personal_unlockAccount\u0000)", R"(\u0070ersonal_unlockAccount)",
          R"(personal\u005funlockAccount)", R"(personal_unlockAccount\n)", R"(\tpersonal_unlockAccount)",
          "personal_unlockAccount\xc2\xa0", "\xef\xbb\xbfpersonal_unlockAccount"}) {
      EXPECT_TRUE(refusal_of(name).starts_with("-32601 ")) << role << " " << name;
    }
  }
  become(0);
  EXPECT_TRUE(refusal_of(R"(\u0061dmin_peers)").starts_with("-32601 "));
  EXPECT_TRUE(refusal_of("Admin_peers").starts_with("-32601 "));
  EXPECT_TRUE(refusal_of("ETH_SENDRAWTRANSACTION").starts_with("-32601 "));
}

TEST_F(CallPermissionTest, ANotificationIsRefusedLikeACall) {
  become(0);
  EXPECT_NE(refusal(R"({"jsonrpc":"2.0","method":"admin_peers"})"), "");
  EXPECT_EQ(refusal(R"({"jsonrpc":"2.0","method":"eth_blockNumber"})"), "");
}

TEST_F(CallPermissionTest, ContractsTopicsProjectsAndNetworks) {
  become(0);
  EXPECT_EQ(refusal_of("eth_call", R"([{"to":"0x00000000000000000000000000000000000000BB"}])"),
            "-32001 a contract of this call is not granted to these credentials");
  EXPECT_TRUE(refusal_of("eth_getLogs", R"([{"topics":[]}])").starts_with("-32001 "));
  EXPECT_EQ(refusal_of("eth_subscribe", R"(["newHeads"])"), "");
  EXPECT_TRUE(
      refusal_of("eth_subscribe", R"(["logs",{"address":"0x00000000000000000000000000000000000000aa"}])")
          .starts_with("-32601 "));
  EXPECT_TRUE(refusal_of("eth_subscribe", R"(["\u006cogs",{}])").starts_with("-32601 "));
  NetworkPlan other = network_;
  other.chain_id = 137;
  const CallPermission elsewhere(other, &gate_);
  other.chain_id = 1;
  other.project = "internal";
  const CallPermission hidden(other, &gate_);
  jsonrpc::Parser parser;
  const auto message = parser.parse(R"({"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"})");
  EXPECT_TRUE(elsewhere.refusal(message->requests[0], caller_));
  EXPECT_TRUE(hidden.refusal(message->requests[0], caller_));
  EXPECT_FALSE(permission_.refusal(message->requests[0], caller_));
}

TEST_F(CallPermissionTest, CallsArePaidByTheirCostAndRefusedOnesToo) {
  become(0);
  const std::string logs = R"([{"address":"0x00000000000000000000000000000000000000aa"}])";
  EXPECT_EQ(refusal_of("eth_getLogs", logs), "");
  EXPECT_EQ(refusal_of("eth_getLogs", logs), "");
  EXPECT_EQ(refusal_of("eth_blockNumber"), "-32005 too many requests, try again later");
  EXPECT_EQ(refusal_of("admin_peers"), "-32005 too many requests, try again later");
  clock_.advance(std::chrono::milliseconds(10));
  EXPECT_TRUE(refusal_of("admin_peers").starts_with("-32601 "));
  EXPECT_EQ(refusal_of("eth_blockNumber"), "-32005 too many requests, try again later");
  const RoleCells& cells = gate_.cells(*caller_.principal);
  EXPECT_EQ(cells.role, "reader");
  EXPECT_EQ(cells.calls.value(), 6U);
  EXPECT_EQ(cells.refused[AccessRefusal::limit].value(), 3U);
  EXPECT_EQ(cells.refused[AccessRefusal::permission].value(), 1U);
}

TEST_F(CallPermissionTest, ExpiredCredentialsGrantNothingButTheWayToRenewThem) {
  become(0, clock_.wall_now() + std::chrono::seconds(5));
  EXPECT_EQ(refusal_of("eth_blockNumber"), "");
  clock_.advance(std::chrono::seconds(5));
  EXPECT_EQ(refusal_of("eth_blockNumber"), "-32001 the token has expired");
  EXPECT_EQ(refusal_of("fanfare_authenticate", R"(["x"])"), "");
}

TEST_F(CallPermissionTest, FreshCredentialsDoNotCompeteWithCalls) {
  become(0);
  caller_.transport = rpc::Transport::websocket;
  while (refusal_of("eth_chainId").empty()) {
  }
  for (std::uint64_t i = 0; i < access::kRenewalRate.burst; ++i) {
    ASSERT_EQ(refusal_of("fanfare_authenticate", R"(["x"])"), "") << i;
  }
  // Beyond their rate they cost as much as other calls.
  EXPECT_TRUE(refusal_of("fanfare_authenticate", R"(["x"])").starts_with("-32005 "));
  clock_.advance(std::chrono::milliseconds(100));
  EXPECT_EQ(refusal_of("fanfare_authenticate", R"(["x"])"), "");
  // Over HTTP there is nothing to renew.
  caller_.transport = rpc::Transport::http;
  while (refusal_of("eth_chainId").empty()) {
  }
  EXPECT_TRUE(refusal_of("fanfare_authenticate", R"(["x"])").starts_with("-32005 "));
}

TEST_F(CallPermissionTest, AMethodThatIsExecutedAsAnotherOneNeedsItsPermissionAndPaysItsPrice) {
  become(0);
  EXPECT_EQ(refusal_of("eth_getFilterLogs", R"(["0x1"])"), "");
  EXPECT_EQ(refusal_of("eth_getFilterLogs", R"(["0x1"])"), "");
  EXPECT_TRUE(refusal_of("eth_getFilterLogs", R"(["0x1"])").starts_with("-32005 "));
  become(3);
  EXPECT_EQ(refusal_of("eth_getFilterChanges", R"(["0x1"])"), "");
  EXPECT_EQ(refusal_of("eth_getFilterLogs", R"(["0x1"])"),
            "-32601 the method eth_getLogs is not granted to these credentials");
  NetworkPlan without_logs = network_;
  without_logs.methods.deny = {"eth_getLogs"};
  const CallPermission denied(without_logs, &gate_);
  become(1);
  jsonrpc::Parser parser;
  const auto message =
      parser.parse(R"({"jsonrpc":"2.0","id":1,"method":"eth_getFilterLogs","params":["0x1"]})");
  EXPECT_TRUE(denied.refusal(message->requests[0], caller_));
}

TEST_F(CallPermissionTest, TheAnswerSaysWhatIsNotGranted) {
  become(0);
  EXPECT_EQ(refusal_of("eth_subscribe", R"(["syncing"])"),
            "-32601 the subscription syncing is not granted to these credentials");
  EXPECT_EQ(refusal_of("eth_getStorageValues"),
            "-32001 this call may concern every contract; these credentials grant some");
  const auto refused = [&](const NetworkPlan& plan) {
    jsonrpc::Parser parser;
    const auto message = parser.parse(R"({"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"})");
    const auto got = CallPermission(plan, &gate_).refusal(message->requests[0], caller_);
    return got ? got->message : "";
  };
  NetworkPlan other = network_;
  other.chain_id = 137;
  EXPECT_EQ(refused(other), "on this network the method eth_blockNumber is not granted to these credentials");
  other.project = "internal";
  EXPECT_EQ(refused(other), "in this project the method eth_blockNumber is not granted to these credentials");
}

TEST_F(CallPermissionTest, AConnectionThatHasYetToAuthenticateIsAskedForCredentials) {
  access::Principal waiting{.name = std::string(kUnauthenticated), .roles = {}};
  caller_.principal = std::make_shared<const access::Principal>(std::move(waiting));
  EXPECT_EQ(refusal_of("eth_blockNumber"), "-32001 credentials are required");
  EXPECT_EQ(refusal_of("fanfare_authenticate", R"(["x"])"), "");
  EXPECT_EQ(refusal_of("fanfare_session"), "-32001 credentials are required");
}

TEST_F(CallPermissionTest, EveryWebSocketMayAskForItsSession) {
  become(0);
  for (const bool has_access : {true, false}) {
    if (!has_access) caller_.principal = nullptr;
    caller_.transport = rpc::Transport::websocket;
    EXPECT_EQ(refusal_of("fanfare_session"), "");
    EXPECT_NE(refusal_of("fanfare_sessions"), "");
    caller_.transport = rpc::Transport::http;
    EXPECT_NE(refusal_of("fanfare_session"), "");
  }
}

TEST_F(CallPermissionTest, WithoutAPrincipalOnlyTheProjectDecides) {
  EXPECT_EQ(refusal_of("eth_blockNumber"), "");
  EXPECT_TRUE(refusal_of("admin_peers").starts_with("-32601 "));
  EXPECT_EQ(refusal_of("debug_traceTransaction"), "");
}

}  // namespace
}  // namespace fanfare::gateway
