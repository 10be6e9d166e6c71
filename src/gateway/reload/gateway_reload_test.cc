// A gateway gets other plans while clients use it. Also meant for ThreadSanitizer.

#include <atomic>
#include <thread>

#include "base/log.h"
#include "gateway/reload/reload_world_for_tests.h"

namespace fanfare::gateway {
namespace {

class GatewayReloadTest : public ReloadWorld {};

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
  plan_.http.compression.bytes_min = 4096;
  plan_.networks.pop_back();
  const std::string restart = "! server.compression.minBytes: 2048 -> 4096 (needs a restart)";
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

TEST_P(GatewayReloadTest, ALevelThatTheOperatorHasSetStaysUntilTheFileHasAnother) {
  plan_.log_level = log::Level::off;
  start();
  log::set_level(log::Level::error);
  plan_.networks.pop_back();
  EXPECT_EQ(reload().size(), 1U);
  EXPECT_TRUE(log::enabled(log::Level::error));
  EXPECT_FALSE(log::enabled(log::Level::warn));
  plan_.log_level = log::Level::warn;
  EXPECT_EQ(reload().size(), 1U);
  EXPECT_TRUE(log::enabled(log::Level::warn));
  log::set_level(log::Level::off);
}

INSTANTIATE_TEST_SUITE_P(Loops, GatewayReloadTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), name_of_loop);

}  // namespace
}  // namespace fanfare::gateway
