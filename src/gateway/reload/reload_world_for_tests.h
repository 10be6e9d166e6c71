#pragma once
// A gateway that gets other plans while clients use it. Its node is another gateway with a development chain.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "gateway/gateway.h"
#include "gateway/mount_plans.h"

namespace fanfare::gateway {

// The words of all tests of reloads.
using namespace std::chrono_literals;
using api::RawClient;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ReloadWorld : public ::testing::TestWithParam<net::LoopKind> {
 protected:
  static constexpr std::uint64_t kChain = 1337;
  static constexpr std::string_view kHeads =
      R"({"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]})";
  static constexpr std::string_view kChainId =
      R"({"jsonrpc":"2.0","id":2,"method":"eth_chainId","params":[]})";

  void SetUp() override {
    ServePlan plan;
    plan.log_level = log::Level::off;
    plan.loops = 1;
    plan.listeners = {{.at = {}, .mounts = http_port_mounts(false)}};
    plan.networks = {
        {.chain_id = kChain, .backend = DevBackend{.block_time = std::chrono::milliseconds(20)}}};
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
            .poll = {.interval_min = std::chrono::milliseconds(10),
                     .interval_max = std::chrono::milliseconds(50)},
            .backend = UpstreamBackend{{.id = id, .url = url}}};
  }
  void start() {
    gateway_ = std::make_unique<Gateway>(plan_);
    ASSERT_TRUE(gateway_->start());
    port_ = gateway_->addresses().front().port();
  }
  std::vector<std::string> reload() {
    std::vector<std::string> lines;
    for (const PlanChange& change : gateway_->reload(plan_).changes) lines.push_back(change.line());
    return lines;
  }
  // Of the first listener at the start. Any thread.
  std::uint16_t port() const { return port_; }
  static std::string path(const std::string& project) {
    return "/" + project + "/evm/" + std::to_string(kChain);
  }
  std::unique_ptr<api::RawClient> open(const std::string& project) const {
    auto client = std::make_unique<api::RawClient>(port());
    EXPECT_THAT(client->upgrade(path(project)), ::testing::StartsWith("HTTP/1.1 101 ")) << project;
    return client;
  }
  std::unique_ptr<api::RawClient> subscribe(const std::string& project) const {
    auto client = open(project);
    client->send(kHeads);
    EXPECT_THAT(client->receive(), ::testing::HasSubstr("\"result\":\"0x"));
    EXPECT_THAT(client->receive(), ::testing::HasSubstr("eth_subscription"));
    return client;
  }
  // The status of a request, once each loop has applied the last reload.
  std::string status_when(const std::string& project, const std::string& wanted) const {
    std::string status;
    for (int i = 0; i < 2000 && status != wanted; ++i) {
      api::RawClient client(port());
      client.write("POST " + path(project) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                   std::to_string(kChainId.size()) + "\r\n\r\n" + std::string(kChainId));
      status = client.read_answer(false).substr(9, 3);
    }
    return status;
  }
  // Once each loop has applied the last reload: asks until the answer to a POST of `body` has `wanted` in it.
  std::string answer_when(const std::string& project, std::string_view body, std::string_view wanted) const {
    std::string answer;
    for (int i = 0; i < 2000 && answer.find(wanted) == std::string::npos; ++i) {
      api::RawClient client(port());
      client.write("POST " + path(project) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                   std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
      answer = client.read_answer(false);
    }
    return answer;
  }
  static std::string number_of(const std::string& head) {
    const std::size_t at = head.find("\"number\":\"0x");
    return at == std::string::npos ? head : head.substr(at + 10, head.find('"', at + 11) - at - 10);
  }
  // The next `count` heads follow each other.
  static void expect_heads(api::RawClient& client, int count) {
    std::uint64_t before = 0;
    for (int i = 0; i < count; ++i) {
      const std::string text = client.receive();
      ASSERT_THAT(text, ::testing::HasSubstr("eth_subscription"));
      const std::uint64_t number = std::stoull(number_of(text), nullptr, 16);
      if (before != 0) {
        ASSERT_EQ(number, before + 1) << text;
      }
      before = number;
    }
  }

  std::unique_ptr<Gateway> node_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Gateway> gateway_;  // ends first
  ServePlan plan_;
};

// "epoll" or "uring".
inline std::string name_of_loop(const ::testing::TestParamInfo<net::LoopKind>& tested) {
  return tested.param == net::LoopKind::epoll ? "epoll" : "uring";
}

}  // namespace fanfare::gateway
