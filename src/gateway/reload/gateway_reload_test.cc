// A gateway gets other plans while clients use it. Its node is another gateway with a development chain. Also meant for
// ThreadSanitizer.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "gateway/gateway.h"
#include "gateway/mount_plans.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;
using api::RawClient;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::uint64_t kChain = 1337;
constexpr std::string_view kHeads =
    R"({"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]})";
constexpr std::string_view kChainId = R"({"jsonrpc":"2.0","id":2,"method":"eth_chainId","params":[]})";

class GatewayReloadTest : public testing::TestWithParam<net::LoopKind> {
 protected:
  void SetUp() override {
    ServePlan plan;
    plan.log_level = log::Level::off;
    plan.loops = 1;
    plan.listeners = {{.at = {}, .mounts = http_port_mounts(false)}};
    plan.networks = {{.chain_id = kChain, .backend = DevBackend{.block_time = 20ms}}};
    node_ = std::make_unique<Gateway>(plan);
    ASSERT_TRUE(node_->start());
    plan_ = plan;
    plan_.loops = 2;
    plan_.loop_kind = GetParam();
    plan_.listeners = {{.at = {}, .mounts = routed_mounts(true)}};
    plan_.browsers.hosts = {"*"};  // a raw client names none of ours
    plan_.networks = {network("main"), network("side")};
  }

  NetworkPlan network(const std::string& project, const std::string& id = "a") const {
    const std::string url = "http://127.0.0.1:" + std::to_string(node_->addresses().front().port());
    return {.project = project,
            .chain_id = kChain,
            .poll = {.interval_min = 10ms, .interval_max = 50ms},
            .backend = UpstreamBackend{{.id = id, .url = url}}};
  }
  void start() {
    gateway_ = std::make_unique<Gateway>(plan_);
    ASSERT_TRUE(gateway_->start());
  }
  std::vector<std::string> reload() {
    std::vector<std::string> lines;
    for (const PlanChange& change : gateway_->reload(plan_).changes) lines.push_back(change.line());
    return lines;
  }
  std::uint16_t port() const { return gateway_->addresses().front().port(); }
  static std::string path(const std::string& project) {
    return "/" + project + "/evm/" + std::to_string(kChain);
  }
  std::unique_ptr<RawClient> open(const std::string& project) const {
    auto client = std::make_unique<RawClient>(port());
    EXPECT_THAT(client->upgrade(path(project)), StartsWith("HTTP/1.1 101 ")) << project;
    return client;
  }
  std::unique_ptr<RawClient> subscribe(const std::string& project) const {
    auto client = open(project);
    client->send(kHeads);
    EXPECT_THAT(client->receive(), HasSubstr("\"result\":\"0x"));
    EXPECT_THAT(client->receive(), HasSubstr("eth_subscription"));
    return client;
  }
  // The status of a request, once each loop has applied the last reload.
  std::string status_when(const std::string& project, const std::string& wanted) const {
    std::string status;
    for (int i = 0; i < 2000 && status != wanted; ++i) {
      RawClient client(port());
      client.write("POST " + path(project) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                   std::to_string(kChainId.size()) + "\r\n\r\n" + std::string(kChainId));
      status = client.read_answer(false).substr(9, 3);
    }
    return status;
  }
  static std::string number_of(const std::string& head) {
    const std::size_t at = head.find("\"number\":\"0x");
    return at == std::string::npos ? head : head.substr(at + 10, head.find('"', at + 11) - at - 10);
  }
  // The next `count` heads follow each other.
  static void expect_heads(RawClient& client, int count) {
    std::uint64_t before = 0;
    for (int i = 0; i < count; ++i) {
      const std::string text = client.receive();
      ASSERT_THAT(text, HasSubstr("eth_subscription"));
      const std::uint64_t number = std::stoull(number_of(text), nullptr, 16);
      if (before != 0) {
        ASSERT_EQ(number, before + 1) << text;
      }
      before = number;
    }
  }

  std::unique_ptr<Gateway> node_;
  std::unique_ptr<Gateway> gateway_;  // ends first
  ServePlan plan_;
};

TEST_P(GatewayReloadTest, TheSamePlanChangesNothing) {
  start();
  const auto client = subscribe("main");
  EXPECT_THAT(reload(), IsEmpty());
  expect_heads(*client, 3);
}

TEST_P(GatewayReloadTest, ANetworkIsAddedAndRemovedAndComesBack) {
  start();
  const auto stays = subscribe("main");
  const auto goes = subscribe("side");
  plan_.networks.pop_back();
  plan_.networks.push_back(network("new"));
  EXPECT_THAT(reload(), ElementsAre("- network side/1337", "+ network new/1337"));
  std::string text;
  while ((text = goes->receive()).find("eth_subscription") != std::string::npos) {
  }
  EXPECT_EQ(text, "close 1012 this network was removed from the configuration");
  EXPECT_EQ(status_when("side", "404"), "404");
  EXPECT_EQ(status_when("new", "200"), "200");
  expect_heads(*subscribe("new"), 2);
  EXPECT_EQ(gateway_->states().size(), 2U);
  goes->send("\x03\xe8", '\x88');

  plan_.networks.push_back(network("side"));
  EXPECT_THAT(reload(), ElementsAre("+ network side/1337"));
  EXPECT_EQ(status_when("side", "200"), "200");
  expect_heads(*subscribe("side"), 2);
  expect_heads(*stays, 5);
}

// Nothing is lost: the heads of an open subscription follow each other, although its node is another one.
TEST_P(GatewayReloadTest, TheNodesOfANetworkAreReplacedUnderItsSubscribers) {
  start();
  const auto client = subscribe("main");
  for (int i = 0; i < 5; ++i) {
    plan_.networks.front() = network("main", "b" + std::to_string(i));
    EXPECT_EQ(reload().size(), 2U);
    expect_heads(*client, 4);
  }
}

TEST_P(GatewayReloadTest, RulesApplyToOpenConnections) {
  start();
  const auto client = open("main");
  client->send(kChainId);
  EXPECT_THAT(client->receive(), HasSubstr("0x539"));
  plan_.networks.front().methods.deny = {"eth_chainId"};
  EXPECT_THAT(reload(), ElementsAre("~ network main/1337 methods.deny: [] -> [eth_chainId]"));
  std::string text;
  for (int i = 0; i < 2000 && text.find("-32601") == std::string::npos; ++i) {
    client->send(kChainId);
    text = client->receive();
  }
  EXPECT_THAT(text, HasSubstr("-32601"));
  // The other project's are its own.
  const auto other = open("side");
  other->send(kChainId);
  EXPECT_THAT(other->receive(), HasSubstr("0x539"));
}

TEST_P(GatewayReloadTest, LimitsAndOriginsApplyToNewConnections) {
  start();
  const auto client = subscribe("main");
  plan_.websocket.connections_per_network_max = 1;
  plan_.networks.back().origins = {"https://page.example"};
  reload();
  RawClient second(port());
  EXPECT_THAT(second.upgrade(path("main")), StartsWith("HTTP/1.1 503 "));
  std::string answer;
  for (int i = 0; i < 2000 && !answer.starts_with("HTTP/1.1 101 "); ++i) {
    answer = RawClient(port()).upgrade(path("side"), "Origin: https://page.example\r\n");
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 "));
  expect_heads(*client, 2);
}

TEST_P(GatewayReloadTest, WhatNeedsARestartIsToldEachTimeAndTheRestIsApplied) {
  start();
  plan_.http.body_bytes_max = 4096;
  plan_.networks.pop_back();
  const std::string restart = "! server.maxBodyBytes: 16777216 -> 4096 (needs a restart)";
  EXPECT_THAT(reload(), ElementsAre(restart, "- network side/1337"));
  EXPECT_THAT(reload(), ElementsAre(restart));
}

TEST_P(GatewayReloadTest, AStormOfReloadsLosesNothing) {
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(subscribe("main"));
  std::atomic<bool> over = false;
  std::atomic<std::size_t> answers = 0;
  std::thread caller([&] {
    while (!over) {
      RawClient client(port());
      client.write("POST " + path("main") + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                   std::to_string(kChainId.size()) + "\r\n\r\n" + std::string(kChainId));
      const std::string answer = client.read_answer(false);
      ASSERT_THAT(answer, HasSubstr("0x539"));
      ++answers;
    }
  });
  for (int i = 0; i < 60; ++i) {
    plan_.networks.resize(1);
    plan_.networks.front() = network("main", "node" + std::to_string(i % 3));
    if (i % 2 == 0) plan_.networks.push_back(network("side"));
    if (i % 5 == 0) plan_.networks.insert(plan_.networks.begin(), network("extra"));
    plan_.websocket.ping_interval = 1s * (20 + i % 7);
    gateway_->reload(plan_);
    // So that the pace is that of the chain.
    expect_heads(*clients.front(), 1);
  }
  over = true;
  caller.join();
  EXPECT_GT(answers, 0U);
  for (const auto& client : clients) expect_heads(*client, 10);
}

// With reloads on the way.
TEST_P(GatewayReloadTest, AStopEndsAllOfIt) {
  start();
  const auto client = subscribe("side");
  for (int i = 0; i < 5; ++i) {
    plan_.networks.resize(1);
    if (i % 2 == 1) plan_.networks.push_back(network("side", "node" + std::to_string(i)));
    gateway_->reload(plan_);
  }
  gateway_->stop(1s);
}

INSTANTIATE_TEST_SUITE_P(Loops, GatewayReloadTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), [](const auto& tested) {
                           return tested.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

}  // namespace
}  // namespace fanfare::gateway
