// Keys and roles are replaced while two loops check calls, authenticate and renew: what the loops use stays valid until each has
// begun a new task, and nothing is shared without care. Meant for ThreadSanitizer; elsewhere it shows that each call is decided
// by one of the policies as a whole.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "access/credentials.h"
#include "gateway/access_gate.h"
#include "gateway/call_permission.h"
#include "gateway/credential_term.h"
#include "jsonrpc/request.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kKeys = 8;
constexpr std::size_t kReloads = 200;

std::string secret(std::size_t index) {
  return "secret-key-0123456789-" + std::to_string(index);
}

// `round`: odd ones grant "eth_a" to all keys; even ones "eth_b", and the last key is gone.
AccessPolicy policy_of(std::size_t round) {
  auto plan = std::make_shared<access::AccessPlan>();
  const bool is_odd = round % 2 == 1;
  plan->roles = {{.role = {.name = "reader",
                           .methods = {.allow = {is_odd ? "eth_a" : "eth_b"}},
                           .projects = {.allow = {"main"}}},
                  .limits = {.requests = {.per_second = 1'000'000 + round}}},
                 {.role = {.name = "role" + std::to_string(round), .methods = {.allow = {"net_version"}}}}};
  const std::size_t keys = is_odd ? kKeys : kKeys - 1;
  for (std::size_t i = 0; i < keys; ++i) {
    plan->keys.push_back(
        {.name = "key" + std::to_string(i), .digest = access::sha256(secret(i)), .roles = {"reader"}});
  }
  plan->costs = {{"eth_*", static_cast<std::uint32_t>(1 + round % 3)}};
  return {.plan = std::move(plan), .first_message_within = 1min};
}

// A WebSocket's part in it.
class Connection final : public CredentialHolder {
 public:
  Connection(AccessGate& gate, CredentialTerms& terms, std::size_t index)
      : gate_(gate), index_(index), term_(terms, *this) {
    principal_ = waiting();
    authenticate();
    term_.start(WallTime{});
  }

  void on_credentials_ended(std::string_view reason) override {
    EXPECT_EQ(reason, kRevoked);
    EXPECT_EQ(index_, kKeys - 1);
    ++ended;
    principal_ = waiting();
  }
  void on_reloaded(const access::Caller& now) override {
    principal_ = now.principal;
    gate_.set_limits(*payer, now);
    ++reloaded;
  }
  const access::Principal& principal() const override { return *principal_; }
  access::PrincipalPtr shared() const { return principal_; }
  std::string peer_address() const override { return "192.0.2.7:1234"; }

  void authenticate() {
    auto renewed = gate_.renew(secret(index_), peer_address(), *principal_, *payer);
    if (renewed) principal_ = *std::move(renewed);
  }

  const std::shared_ptr<access::Payer> payer = std::make_shared<access::Payer>();
  std::size_t ended = 0;
  std::size_t reloaded = 0;

 private:
  static access::PrincipalPtr waiting() {
    return std::make_shared<const access::Principal>(
        access::Principal{.name = std::string(kUnauthenticated), .roles = {}});
  }

  AccessGate& gate_;
  const std::size_t index_;
  access::PrincipalPtr principal_;
  CredentialTerm term_;
};

class LoopThread {
 public:
  LoopThread(AccessGate& gate, net::LoopKind kind)
      : gate_(gate),
        loop_(std::move(net::Loop::create({.kind = kind}).value())),
        terms_(std::make_unique<CredentialTerms>(*loop_)),
        thread_([this] { run(); }) {}

  void check_again(std::shared_ptr<const void> before) {
    loop_->post([this, before = std::move(before)] {
      terms_->check_again(gate_);
      ++checks;
    });
  }
  void stop() {
    loop_->post([this] { stopped_ = true; });
    thread_.join();
  }

  std::atomic<std::size_t> checks = 0;
  std::atomic<bool> last_is_in = false;  // the connection of the last key has authenticated
  std::size_t ended = 0;
  std::size_t reloaded = 0;
  std::size_t calls = 0;

 private:
  void run() {
    const NetworkPlan network{
        .project = "main",
        .chain_id = 1,
        .poll = {},
        .backend = UpstreamBackend{{.id = "n", .url = "http://127.0.0.1:1", .headers = {}}}};
    const CallPermission permission(network, &gate_);
    std::vector<std::unique_ptr<Connection>> connections;
    for (std::size_t i = 0; i < kKeys; ++i) {
      connections.push_back(std::make_unique<Connection>(gate_, *terms_, i));
    }
    jsonrpc::Parser parser;
    while (!stopped_) {
      last_is_in = connections.back()->principal().name != kUnauthenticated;
      loop_->run_once(Duration::zero());
      for (const auto& connection : connections) {
        if (connection->principal().name == kUnauthenticated) connection->authenticate();
        const rpc::Caller caller{.transport = rpc::Transport::websocket,
                                 .principal = connection->shared(),
                                 .payer = connection->payer};
        int granted = 0;
        for (const std::string_view method : {"eth_a", "eth_b"}) {
          const std::string text =
              R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) + R"(","params":[]})";
          const auto message = parser.parse(text);
          if (!permission.refusal(message->requests[0], caller)) ++granted;
          ++calls;
        }
        // One policy decides: neither both, nor parts of two.
        EXPECT_EQ(granted, connection->principal().name == kUnauthenticated ? 0 : 1);
      }
    }
    for (const auto& connection : connections) {
      ended += connection->ended;
      reloaded += connection->reloaded;
    }
    connections.clear();
    terms_.reset();
  }

  AccessGate& gate_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<CredentialTerms> terms_;
  bool stopped_ = false;  // of the thread
  std::thread thread_;
};

template <typename Condition>
bool comes(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(AccessReload, UnderCallsOfTwoLoops) {
  AccessGate gate(policy_of(1));
  LoopThread first(gate, net::LoopKind::epoll);
  LoopThread second(gate, net::LoopKind::uring);
  const std::array<LoopThread*, 2> loops{&first, &second};
  std::size_t reloads = 0;
  const auto reload = [&](std::size_t round) {
    const std::shared_ptr<const void> before = gate.replace(policy_of(round));
    for (LoopThread* loop : loops) loop->check_again(before);
    ++reloads;
  };
  const auto are_checked = [&] {
    return std::ranges::all_of(loops, [&](const LoopThread* loop) { return loop->checks == reloads; });
  };
  for (std::size_t round = 2; round < 2 + kReloads; ++round) {
    reload(round);
    // Some reloads come before the loops have seen the one before.
    if (round % 4 == 0) EXPECT_TRUE(comes(are_checked));
  }
  // The last key is there again, is used by both loops, and is gone.
  reload(kReloads + 3);
  for (const LoopThread* loop : loops) EXPECT_TRUE(comes([&] { return loop->last_is_in.load(); }));
  reload(kReloads + 4);
  EXPECT_TRUE(comes(are_checked));
  for (LoopThread* loop : loops) {
    loop->stop();
    EXPECT_GT(loop->reloaded, 0U);
    EXPECT_GT(loop->ended, 0U);
    EXPECT_GT(loop->calls, 0U);
  }
}

}  // namespace
}  // namespace fanfare::gateway
