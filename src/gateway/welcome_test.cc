#include "gateway/welcome.h"

#include <gtest/gtest.h>

#include "devchain/devchain.h"
#include "gateway/mount_plans.h"

namespace fanfare::gateway {
namespace {

std::string welcome(const ServePlan& plan, bool is_ready = true) {
  std::vector<net::Address> addresses;
  for (const ListenerPlan& listener : plan.listeners) {
    addresses.push_back(*(listener.at.unix_path.empty()
                              ? net::Address::parse(listener.at.host, listener.at.port)
                              : net::Address::unix_path(listener.at.unix_path)));
  }
  std::vector<NetworkState> states;
  for (const NetworkPlan& network : plan.networks) {
    states.push_back({.name = network.project + "/" + std::to_string(network.chain_id.value_or(0)),
                      .ready = is_ready,
                      .text = is_ready ? "ready, head 12" : "not ready: no answer"});
  }
  return welcome_text(plan, addresses, states, "bin/fanfare");
}

ServePlan plan_with(std::vector<ListenerPlan> listeners) {
  ServePlan plan;
  plan.listeners = std::move(listeners);
  plan.networks.push_back({.project = "main", .chain_id = 7});
  return plan;
}

const std::string kCurl = "curl -s -H 'content-type: application/json' ";
const std::string kBlockNumber = R"( -d '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"}')";
const std::string kConnect =
    R"(bin/fanfare connect -n 4 -x '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}' )";

TEST(Welcome, OnePortHasEverythingAndTheOtherIsAnAlias) {
  EXPECT_EQ(welcome(plan_with({{.at = {.port = 8545}, .mounts = http_port_mounts(true)},
                               {.at = {.port = 8546}, .mounts = websocket_port_mounts()}})),
            "\nFanfare is ready.\n"
            "  HTTP JSON-RPC  http://127.0.0.1:8545\n"
            "  WebSocket      ws://127.0.0.1:8545   (also ws://127.0.0.1:8546)\n"
            "  Metrics        http://127.0.0.1:8545/metrics   (also /healthz, /readyz)\n"
            "\nNetwork:\n"
            "  main/7  ready, head 12\n"
            "\nThree things to try:\n"
            "  " +
                kCurl + "http://127.0.0.1:8545" + kBlockNumber +
                "\n"
                "  " +
                kConnect +
                "ws://127.0.0.1:8545\n"
                "  curl -s http://127.0.0.1:8545/readyz\n"
                "\nStop it with Ctrl-C.\n");
}

TEST(Welcome, AUnixSocketIsReachedThroughItsPath) {
  EXPECT_EQ(welcome(plan_with({{.at = {.unix_path = "/run/x.sock"}, .mounts = routed_mounts(true)}})),
            "\nFanfare is ready.\n"
            "  Unix socket    /run/x.sock\n"
            "\nNetwork:\n"
            "  main/7  /main/evm/7  ready, head 12\n"
            "\nThree things to try:\n"
            "  " +
                kCurl + "--unix-socket /run/x.sock http://localhost/main/evm/7" + kBlockNumber +
                "\n"
                "  " +
                kConnect +
                "ws+unix:/run/x.sock:/main/evm/7\n"
                "  curl -s --unix-socket /run/x.sock http://localhost/readyz\n"
                "\nStop it with Ctrl-C.\n");
}

TEST(Welcome, PortsAreToldBeforeUnixSockets) {
  const std::string text = welcome(
      plan_with({{.at = {.unix_path = "/run/x.sock"}, .mounts = routed_mounts(false)},
                 {.at = {.port = 4000, .tls = net::TlsServerOptions{}}, .mounts = routed_mounts(false)},
                 {.at = {.port = 9090}, .mounts = page_mounts(true)}}));
  EXPECT_NE(text.find("  HTTP JSON-RPC  https://127.0.0.1:4000/main/evm/7\n"), std::string::npos);
  EXPECT_NE(text.find("  WebSocket      wss://127.0.0.1:4000/main/evm/7\n"), std::string::npos);
  EXPECT_NE(text.find("  Unix socket    /run/x.sock\n"), std::string::npos);
  EXPECT_NE(text.find("  Metrics        http://127.0.0.1:9090/metrics"), std::string::npos);
  EXPECT_EQ(text.find("--unix-socket"), std::string::npos);
}

TEST(Welcome, ADevelopmentChainSaysWhatItIsAndWhoHasEther) {
  ServePlan plan = plan_with({{.at = {.port = 8545}, .mounts = http_port_mounts(true)}});
  EXPECT_EQ(welcome(plan).find("Development chain"), std::string::npos);
  plan.networks.front().backend = DevBackend{.block_time = std::chrono::seconds(2), .seed = 5};
  const std::string text = welcome(plan);
  EXPECT_NE(text.find("Development chain, chain id 7, a block every 2s. It has no EVM"), std::string::npos)
      << text;
  EXPECT_NE(text.find("10 accounts with 10000 ether each"), std::string::npos);
  const devchain::DevChain chain({.seed = 5, .chain_id = 7}, WallTime{});
  for (const auto& account : chain.accounts()) {
    EXPECT_NE(text.find("  " + account.address + "  " + account.private_key + "\n"), std::string::npos);
  }
}

TEST(Welcome, EveryNetworkHasALineAndItsState) {
  ServePlan plan = plan_with({{.at = {.port = 4000}, .mounts = routed_mounts(false)}});
  plan.networks.push_back({.project = "other", .chain_id = 100});
  EXPECT_NE(welcome(plan).find("\nNetworks:\n"
                               "  main/7     /main/evm/7     ready, head 12\n"
                               "  other/100  /other/evm/100  ready, head 12\n"),
            std::string::npos);
  const std::string text = welcome(plan, false);
  EXPECT_TRUE(text.starts_with("\nFanfare listens, but cannot follow every chain yet.\n")) << text;
  EXPECT_NE(text.find("  main/7     /main/evm/7     not ready: no answer\n"), std::string::npos);
}

TEST(Welcome, TheDashboardComesFirst) {
  ServePlan plan = plan_with({{.at = {.port = 8545}, .mounts = http_port_mounts(true)}});
  EXPECT_EQ(welcome(plan).find("Dashboard"), std::string::npos);
  for (MountPlan& mount : web_mounts("/usr/share/fanfare/web", "1.2.3")) {
    plan.listeners.front().mounts.push_back(std::move(mount));
  }
  EXPECT_TRUE(welcome(plan).starts_with("\nFanfare is ready.\n  Dashboard      http://127.0.0.1:8545/\n"));
}

TEST(Welcome, WhatIsOffIsNotToBeTried) {
  ServePlan plan = plan_with({{.at = {.port = 4000}, .mounts = routed_mounts(false)}});
  plan.websocket.enabled = false;
  EXPECT_EQ(welcome(plan),
            "\nFanfare is ready.\n"
            "  HTTP JSON-RPC  http://127.0.0.1:4000/main/evm/7\n"
            "  Health         http://127.0.0.1:4000/healthz   (also /readyz)\n"
            "\nNetwork:\n"
            "  main/7  /main/evm/7  ready, head 12\n"
            "\nTwo things to try:\n"
            "  " +
                kCurl + "http://127.0.0.1:4000/main/evm/7" + kBlockNumber +
                "\n"
                "  curl -s http://127.0.0.1:4000/readyz\n"
                "\nStop it with Ctrl-C.\n");
}

}  // namespace
}  // namespace fanfare::gateway
