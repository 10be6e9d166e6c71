#include "gateway/method_rules.h"

#include <gtest/gtest.h>

#include <string_view>

namespace fanfare::gateway {
namespace {

constexpr bool kDeveloper = true;
constexpr bool kStranger = false;

TEST(MethodRules, WhatChangesANodeIsRefused) {
  const MethodRules rules({});
  for (const std::string_view method : {"admin_addPeer",
                                        "admin_peers",
                                        "personal_unlockAccount",
                                        "personal_sendTransaction",
                                        "engine_newPayloadV4",
                                        "miner_start",
                                        "clique_propose",
                                        "les_addBalance",
                                        "debug_setHead",
                                        "debug_setGCPercent",
                                        "debug_dbGet",
                                        "debug_chaindbCompact",
                                        "debug_startCPUProfile",
                                        "debug_writeMemProfile",
                                        "debug_standardTraceBlockToFile",
                                        "debug_resetHead",
                                        "debug_insertReceipts",
                                        "debug_freeOSMemory",
                                        "parity_setEngineSigner",
                                        "qbft_proposeValidatorVote",
                                        "priv_call",
                                        "perm_addNodesToAllowlist",
                                        "plugins_reloadPluginConfig",
                                        "db_putString"}) {
    EXPECT_FALSE(rules.allows(method, kDeveloper)) << method;
    EXPECT_FALSE(rules.allows(method, kStranger)) << method;
  }
}

TEST(MethodRules, WhatReadsIsOpen) {
  const MethodRules rules({});
  for (const std::string_view method : {"eth_blockNumber",
                                        "eth_sendRawTransaction",
                                        "eth_subscribe",
                                        "eth_unsubscribe",
                                        "eth_accounts",
                                        "net_version",
                                        "web3_clientVersion",
                                        "debug_traceTransaction",
                                        "debug_traceCall",
                                        "debug_traceBlockByNumber",
                                        "debug_getRawBlock",
                                        "debug_storageRangeAt",
                                        "trace_block",
                                        "txpool_content",
                                        "erigon_getHeaderByNumber",
                                        "ots_getApiLevel",
                                        "bor_getAuthor",
                                        "arbtrace_block",
                                        "rpc_modules",
                                        ""}) {
    EXPECT_TRUE(rules.allows(method, kStranger)) << method;
  }
}

TEST(MethodRules, DevelopersMethodsAndTheNodesKeys) {
  const MethodRules rules({});
  for (const std::string_view method :
       {"anvil_setBalance", "hardhat_impersonateAccount", "evm_mine", "evm_snapshot", "dev_addWithdrawal",
        "eth_sendTransaction", "eth_sendTransactionSync", "eth_sendTransactionAsync",
        "eth_sendUnsignedTransaction", "eth_sendAnythingNew", "eth_SENDtransactionSync", "eth_sign",
        "eth_signTransaction", "eth_signTypedData_v4", "eth_signAnythingNew", "klay_sendTransaction",
        "wallet_sendCalls", "personal_sign"}) {
    EXPECT_TRUE(rules.allows(method, kDeveloper)) << method;
    EXPECT_FALSE(rules.allows(method, kStranger)) << method;
  }
}

TEST(MethodRules, SignedByTheClientIsOpen) {
  const MethodRules rules({});
  for (const std::string_view method :
       {"eth_sendRawTransactionSync", "eth_sendRawTransactionConditional", "eth_sendPrivateRawTransaction",
        "eth_sendPrivateTransaction", "eth_sendBundle", "mev_sendBundle", "eth_sendUserOperation",
        "zks_sendRawTransactionWithDetailedOutput"}) {
    EXPECT_TRUE(rules.allows(method, kStranger)) << method;
  }
}

// Known nodes compare names exactly. Our rejections do not depend on that.
TEST(MethodRules, NoSpellingGetsAround) {
  const MethodRules rules({});
  for (const std::string_view method : {"ADMIN_addPeer", "Admin_AddPeer", "aDMIN_addPeer", "DEBUG_SETHEAD",
                                        "debug_sethead", "EVM_MINE", "eth_SendTransaction", "admin_addPeer ",
                                        " admin_addPeer", "admin_addPeer\t", "admin\xe2\x80\x8d_addPeer",
                                        "\xd0\xb0"
                                        "dmin_addPeer",
                                        "eth_call\n", "eth_call\x7f"}) {
    EXPECT_FALSE(rules.allows(method, kStranger)) << method;
  }
  using namespace std::string_view_literals;
  EXPECT_FALSE(rules.allows("eth_call\0admin"sv, kStranger));
}

TEST(MethodRules, SubscriptionsOfOtherNamespacesAreOfTheSharedConnection) {
  const MethodRules rules({});
  EXPECT_FALSE(rules.allows("debug_subscribe", kDeveloper));
  EXPECT_FALSE(rules.allows("parity_unsubscribe", kDeveloper));
  EXPECT_FALSE(rules.allows("reth_subscribeChainNotifications", kDeveloper));
  EXPECT_FALSE(rules.allows("evm_subscribe", kDeveloper));
  EXPECT_TRUE(rules.allows("eth_subscribe", kStranger));
  EXPECT_TRUE(rules.allows("eth_unsubscribe", kStranger));
  EXPECT_TRUE(rules.allows("eth_getFilterChanges", kStranger));
  // Some node may ignore case.
  for (const std::string_view other :
       {"ETH_SUBSCRIBE", "Eth_Subscribe", "eth_Unsubscribe", "ERIGON_SUBSCRIBE", "txpool_Subscribe",
        "rEtH_SuBsCrIbECHaInNoTiFiCaTiOnS", "ETH_newFilter", "eth_NewFilter", "ETH_GETFILTERCHANGES",
        "eth_uninstallfilter"}) {
    EXPECT_FALSE(rules.allows(other, kDeveloper)) << other;
    EXPECT_TRUE(rules.refusal_of_role(other, true)) << other;
  }
}

TEST(MethodRules, AllowOpensAndDenyCloses) {
  const MethodRules rules(
      {.allow = {"admin_*", "debug_setHead", "evm_mine"}, .deny = {"eth_getLogs", "trace_*"}});
  EXPECT_TRUE(rules.allows("admin_peers", kStranger));
  EXPECT_TRUE(rules.allows("debug_setHead", kStranger));
  EXPECT_TRUE(rules.allows("evm_mine", kStranger));
  EXPECT_FALSE(rules.allows("debug_setGCPercent", kStranger));
  EXPECT_FALSE(rules.allows("evm_snapshot", kStranger));
  EXPECT_FALSE(rules.allows("eth_getLogs", kDeveloper));
  EXPECT_FALSE(rules.allows("TRACE_block", kDeveloper));
  EXPECT_TRUE(rules.allows("eth_getBlockByNumber", kStranger));
  // Only the written spelling is allowed, not another case of it.
  EXPECT_FALSE(rules.allows("Admin_peers", kStranger));
}

TEST(MethodRules, TheLongestPatternDecidesAndATieIsDenied) {
  const MethodRules only({.allow = {"eth_*", "net_version"}, .deny = {"*"}});
  EXPECT_TRUE(only.allows("eth_call", kStranger));
  EXPECT_TRUE(only.allows("net_version", kStranger));
  EXPECT_FALSE(only.allows("net_listening", kStranger));
  const MethodRules but({.allow = {"debug_traceTransaction"}, .deny = {"debug_*"}});
  EXPECT_TRUE(but.allows("debug_traceTransaction", kStranger));
  EXPECT_FALSE(but.allows("debug_traceCall", kStranger));
  const MethodRules tie({.allow = {"eth_call"}, .deny = {"eth_call"}});
  EXPECT_FALSE(tie.allows("eth_call", kStranger));
}

TEST(MethodRules, PatternsOfTheConfiguration) {
  for (const std::string_view good : {"*", "eth_*", "eth_call", "eth_getB*"})
    EXPECT_TRUE(is_method_pattern(good));
  for (const std::string_view bad : {"", "*_call", "eth_*Call", "eth call", "**", "a,b"}) {
    EXPECT_FALSE(is_method_pattern(bad)) << bad;
  }
}

TEST(MethodRules, TheRefusalNamesTheSetting) {
  EXPECT_EQ(MethodRules::refusal("admin_peers"),
            "the method admin_peers is not allowed here (setting: methods.allow of the project, or "
            "--allow-method)");
  EXPECT_LT(MethodRules::refusal(std::string(100'000, 'x')).size(), 200U);
  EXPECT_TRUE(MethodRules::refusal("a\xff\n").starts_with("the method a?? is"));
}

TEST(MethodRules, NodesOnLoopback) {
  const auto of = [](std::vector<std::string> urls) {
    UpstreamBackend backend;
    for (std::string& url : urls) backend.push_back({.id = "x", .url = std::move(url), .headers = {}});
    return is_on_loopback(Backend(std::move(backend)));
  };
  EXPECT_TRUE(
      of({"http://127.0.0.1:8545", "ws://localhost:8546", "http://[::1]:1", "http://node.localhost"}));
  EXPECT_FALSE(of({"http://127.0.0.1:8545", "http://10.0.0.7:8545"}));
  EXPECT_FALSE(of({"https://node.example/127.0.0.1"}));
  EXPECT_FALSE(of({"http://127.0.0.1@node.example:8545"}));
  EXPECT_TRUE(is_on_loopback(Backend(DevBackend{})));
}

TEST(MethodRules, ARoleThatNamesAMethodLiftsTheDefaultsAndNotTheProjectsPatterns) {
  const MethodRules rules({.allow = {}, .deny = {"admin_addPeer"}});
  EXPECT_FALSE(rules.allows("admin_peers", kStranger));
  EXPECT_FALSE(rules.refusal_of_role("admin_peers", true));
  EXPECT_FALSE(rules.refusal_of_role("anvil_setBalance", true));
  EXPECT_TRUE(rules.refusal_of_role("admin_addPeer", true));
  // These would share a connection to the node, whoever asks.
  EXPECT_TRUE(rules.refusal_of_role("debug_subscribe", true));
  EXPECT_TRUE(MethodRules::needs_a_name("Debug_traceCall"));
  EXPECT_FALSE(MethodRules::needs_a_name("eth_call"));
}

// Otherwise a project that allows everything would open all of its nodes to everyone with "*".
TEST(MethodRules, WhatAProjectAllowsIsNotGrantedByIt) {
  const MethodRules rules({.allow = {"*"}, .deny = {}});
  for (const std::string_view method : {"admin_peers", "personal_listAccounts", "anvil_setBalance",
                                        "evm_mine", "eth_sendTransaction", "eth_sign"}) {
    EXPECT_EQ(rules.refusal_of_role(method, false),
              "the method " + std::string(method) +
                  " needs a role that names it or its namespace; \"*\" is not enough");
    EXPECT_FALSE(rules.refusal_of_role(method, true)) << method;
  }
  EXPECT_FALSE(rules.refusal_of_role("eth_call", false));
  const MethodRules only_eth({.allow = {"eth_*"}, .deny = {"*"}});
  EXPECT_TRUE(only_eth.refusal_of_role("net_version", true));
  EXPECT_FALSE(only_eth.refusal_of_role("eth_call", false));
}

// The parameter of fanfare_authenticate is a secret.
TEST(MethodRules, TheGatewaysOwnMethodsNeverReachANode) {
  const MethodRules rules({.allow = {"*", "fanfare_authenticate"}, .deny = {}});
  for (const std::string_view method : {"fanfare_authenticate", "Fanfare_Authenticate", "fanfare_metrics"}) {
    EXPECT_FALSE(rules.allows(method, kDeveloper)) << method;
    EXPECT_EQ(rules.refusal_of_role(method, true),
              "the method " + std::string(method) + " is the gateway's own, and not offered here");
  }
}

}  // namespace
}  // namespace fanfare::gateway
