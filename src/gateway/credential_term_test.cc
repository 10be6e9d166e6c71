// When connections end with their credentials: their end, and a reload. On both loops.

#include "gateway/credential_term.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "access/credentials.h"
#include "gateway/access_gate.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

access::AccessPlan plan(std::size_t keys, std::vector<std::string> methods) {
  access::AccessPlan plan;
  plan.roles = {{.role = {.name = "reader", .methods = {.allow = std::move(methods)}}}};
  for (std::size_t i = 0; i < keys; ++i) {
    const std::string name = "key" + std::to_string(i);
    plan.keys.push_back({.name = name, .digest = access::sha256(name), .roles = {"reader"}});
  }
  return plan;
}
AccessPolicy policy(const access::AccessPlan& plan) {
  return {.plan = std::make_shared<const access::AccessPlan>(plan)};
}

class Holder final : public CredentialHolder {
 public:
  Holder(CredentialTerms& terms, access::PrincipalPtr principal, bool starts = true)
      : principal_(std::move(principal)), term_(terms, *this) {
    if (starts) term_.start(WallTime{});
  }

  void on_credentials_ended(std::string_view reason) override { ended = reason; }
  void on_reloaded(const access::Caller& now) override {
    ++reloads;
    principal_ = now.principal;
  }
  const access::Principal& principal() const override { return *principal_; }
  std::string peer_address() const override { return "192.0.2.7:1234"; }

  void become(access::PrincipalPtr principal) {
    principal_ = std::move(principal);
    term_.start(WallTime{});
  }

  std::string ended;
  int reloads = 0;

 private:
  access::PrincipalPtr principal_;
  CredentialTerm term_;
};

class CredentialTermTest : public testing::TestWithParam<net::LoopKind> {
 protected:
  CredentialTermTest() : loop_(std::move(net::Loop::create({.kind = GetParam()}).value())) {}

  static access::PrincipalPtr key(std::size_t index) {
    const std::string name = "key" + std::to_string(index);
    access::Principal principal{.name = name, .roles = {plan(0, {"eth_*"}).roles[0].role}};
    principal.origin = {.kind = access::CredentialOrigin::Kind::key, .digest = access::sha256(name)};
    return std::make_shared<const access::Principal>(std::move(principal));
  }
  static access::PrincipalPtr ending(Duration in, std::string name = "jwt:carol") {
    return std::make_shared<const access::Principal>(
        access::Principal{.name = std::move(name), .roles = {}, .expires_at = WallTime{} + in});
  }
  template <typename Condition>
  bool run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_->run_once(1ms);
    }
    return true;
  }

  std::unique_ptr<net::Loop> loop_;
  CredentialTerms terms_{*loop_};
};

TEST_P(CredentialTermTest, EndsWithItsPrincipalAndSaysWhy) {
  Holder token(terms_, ending(20ms));
  Holder waiting(terms_, ending(20ms, std::string(kUnauthenticated)));
  Holder past(terms_, ending(-1h));
  Holder renewed(terms_, ending(20ms));
  renewed.become(ending(1h));
  EXPECT_TRUE(
      run_until([&] { return !token.ended.empty() && !waiting.ended.empty() && !past.ended.empty(); }));
  EXPECT_EQ(token.ended, "the token has expired");
  EXPECT_EQ(waiting.ended, "credentials are required");
  EXPECT_EQ(past.ended, "the token has expired");
  EXPECT_EQ(renewed.ended, "");
}

TEST_P(CredentialTermTest, AReloadEndsWhatIsGoneAndTellsTheRest) {
  AccessGate gate(policy(plan(3, {"eth_*"})));
  std::vector<std::unique_ptr<Holder>> holders;
  for (std::size_t i = 0; i < 3; ++i) holders.push_back(std::make_unique<Holder>(terms_, key(i)));
  Holder waiting(terms_, ending(1h, std::string(kUnauthenticated)));
  auto gone = std::make_unique<Holder>(terms_, key(0));
  gone.reset();  // its connection has ended before
  const auto before = gate.replace(policy(plan(2, {"net_version"})));
  terms_.check_again(gate);
  EXPECT_EQ(holders[0]->reloads, 1);
  EXPECT_TRUE(holders[0]->principal().may({.method = "net_version"}));
  EXPECT_EQ(holders[1]->reloads, 1);
  EXPECT_EQ(holders[2]->ended, kRevoked);
  EXPECT_EQ(holders[2]->reloads, 0);
  EXPECT_EQ(waiting.ended + std::to_string(waiting.reloads), "0") << "it has no credentials yet";
}

// It was authenticated before the reload, and opens after it.
TEST_P(CredentialTermTest, AReloadBeforeTheStartIsNoticed) {
  AccessGate gate(policy(plan(2, {"eth_*"})));
  Holder stays(terms_, key(0), false);
  Holder goes(terms_, key(1), false);
  const auto before = gate.replace(policy(plan(1, {"net_*"})));
  terms_.check_again(gate);
  EXPECT_EQ(stays.reloads, 0);
  stays.become(key(0));
  goes.become(key(1));
  EXPECT_EQ(stays.reloads, 1);
  EXPECT_EQ(goes.ended, kRevoked);
}

// At the limit of a turn, one past it, and with a second reload while the first is being applied.
TEST_P(CredentialTermTest, ManyConnectionsAreCheckedInSeveralTurns) {
  for (const std::size_t count : {CredentialTerms::kChecksPerTurn, CredentialTerms::kChecksPerTurn + 1}) {
    AccessGate gate(policy(plan(count, {"eth_*"})));
    std::vector<std::unique_ptr<Holder>> holders;
    for (std::size_t i = 0; i < count; ++i) holders.push_back(std::make_unique<Holder>(terms_, key(i)));
    const auto first = gate.replace(policy(plan(count, {"net_*"})));
    terms_.check_again(gate);
    const auto checked = [&] {
      return std::ranges::count_if(holders, [](const auto& one) { return one->reloads > 0; });
    };
    EXPECT_EQ(checked(), static_cast<std::ptrdiff_t>(CredentialTerms::kChecksPerTurn));
    const auto second = gate.replace(policy(plan(count, {"web3_*"})));
    terms_.check_again(gate);
    Holder late(terms_, key(0));  // it came with the newest policy
    // A fresh token for one that waits for its check: those behind it must not be forgotten.
    holders.front()->become(key(0));
    EXPECT_TRUE(run_until([&] {
      return std::ranges::all_of(
          holders, [](const auto& one) { return one->principal().may({.method = "web3_sha3"}); });
    }));
    for (int i = 0; i < 3; ++i) loop_->run_once(0ms);
    EXPECT_EQ(late.reloads, 0);
  }
}

TEST_P(CredentialTermTest, CountersOfARoleGoOnAfterAReload) {
  AccessGate gate(policy(plan(1, {"eth_*"})));
  RoleCells& cells = gate.cells(*key(0));
  cells.calls.add();
  access::AccessPlan other = plan(1, {"eth_*"});
  other.roles.push_back({.role = {.name = "writer"}});
  const auto before = gate.replace(policy(other));
  EXPECT_EQ(&gate.cells(*key(0)), &cells);
  ASSERT_EQ(gate.roles().size(), 3U);
  EXPECT_EQ(gate.roles()[0]->role, "reader");
  EXPECT_EQ(gate.roles()[2]->role, "writer");
}

TEST_P(CredentialTermTest, LimitsAreReplacedAndWhatWasSpentStays) {
  AccessGate gate(policy(plan(1, {"eth_*"})));
  auto account = std::make_shared<access::Account>();
  access::Payer payer({.limits = std::make_shared<const access::Limits>(), .account = account}, {});
  EXPECT_FALSE(payer.take_subscription({}));
  const access::Caller now{
      .principal = key(0),
      .limits = std::make_shared<const access::Limits>(access::Limits{.subscriptions_max = 1})};
  gate.set_limits(payer, now);
  EXPECT_EQ(payer.subscriptions(), 1U);
  EXPECT_TRUE(payer.take_subscription({}));
  payer.give_back_subscriptions(1);
  EXPECT_FALSE(payer.take_subscription({}));
}

INSTANTIATE_TEST_SUITE_P(Loops, CredentialTermTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), [](const auto& info) {
                           return std::string(info.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::gateway
