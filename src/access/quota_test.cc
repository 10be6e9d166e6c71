#include "access/quota.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfare::access {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant kStart{std::chrono::hours(1)};
constexpr Duration kNow = Duration::zero();

TEST(Costs, TheLongestPatternDecides) {
  const Costs costs({{"*", 2}, {"eth_getLogs", 75}, {"eth_*", 10}});
  EXPECT_EQ(costs.of("eth_getLogs"), 75U);
  EXPECT_EQ(costs.of("eth_call"), 10U);
  EXPECT_EQ(costs.of("net_version"), 2U);
  // A node may read it as eth_getLogs.
  EXPECT_EQ(costs.of("ETH_GETLOGS"), 75U);
  EXPECT_EQ(Costs().of("eth_getLogs"), 1U);
}

TEST(AccountTable, OneKeyHasOneAccount) {
  AccountTable table;
  const auto one = table.find("alice", kStart);
  EXPECT_EQ(table.find("alice", kStart), one);
  EXPECT_NE(table.find("bob", kStart), one);
  EXPECT_EQ(table.size(), 2U);
}

TEST(AccountTable, AddressesWithoutEndTakeBoundedMemory) {
  constexpr std::size_t kMax = 1600;
  AccountTable table(kMax);
  const Rate rate{.per_second = 1, .burst = 1};
  std::size_t largest = 0;
  for (int i = 0; i < 200'000; ++i) {
    table.find(std::to_string(i), kStart)->requests.take(rate, 1, kStart);
    if (i % 1000 == 0) largest = std::max(largest, table.size());
  }
  EXPECT_LE(largest, kMax * 2);
}

TEST(AccountTable, AHeldAccountIsKeptAndQuietOnesAreDropped) {
  AccountTable table;
  const Rate rate{.per_second = 1, .burst = 1};
  const auto held = table.find("held", kStart);
  held->requests.take(rate, 1, kStart);
  for (int i = 0; i < 1000; ++i) table.find("a" + std::to_string(i), kStart)->requests.take(rate, 1, kStart);
  const Instant later = kStart + std::chrono::minutes(2);
  for (int i = 0; i < 3000; ++i) table.find("b" + std::to_string(i), later);
  EXPECT_LT(table.size(), 1500U);
  EXPECT_EQ(table.find("held", later), held);
}

TEST(AccountTable, WhoSpentSomethingIsRemembered) {
  AccountTable table;
  const Rate rate{.per_second = 1, .burst = 1};
  table.find("spender", kStart)->requests.take(rate, 1, kStart);
  for (int i = 0; i < 1000; ++i) table.find(std::to_string(i), kStart);
  EXPECT_GT(table.find("spender", kStart)->requests.take(rate, 1, kStart), kNow);
}

Payer::Share share(const Limits& limits, std::shared_ptr<Account> account = std::make_shared<Account>()) {
  return {.limits = std::make_shared<const Limits>(limits), .account = std::move(account)};
}

TEST(Payer, BothPayAndTheOneThatRefusesIsNamed) {
  Payer by_identity(share({.requests = {.per_second = 10, .burst = 1}}), share({}));
  EXPECT_FALSE(by_identity.take_call(1, kStart));
  auto refused = by_identity.take_call(1, kStart);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->limit, Limit::requests);
  EXPECT_EQ(refused->retry_after, milliseconds(100));
  EXPECT_FALSE(refused->by_address);
  Payer by_address(share({}), share({.requests = {.per_second = 10, .burst = 1}}));
  EXPECT_FALSE(by_address.take_call(1, kStart));
  EXPECT_TRUE(by_address.take_call(1, kStart)->by_address);
}

TEST(Payer, WhatTheAddressRefusesTheIdentityDoesNotPay) {
  const auto account = std::make_shared<Account>();
  const Limits two{.requests = {.per_second = 1, .burst = 2}};
  Payer poor(share(two, account), share({.requests = {.per_second = 1, .burst = 1}}));
  EXPECT_FALSE(poor.take_call(1, kStart));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(poor.take_call(1, kStart));
  Payer elsewhere(share(two, account), share({}));
  EXPECT_FALSE(elsewhere.take_call(1, kStart));
  EXPECT_TRUE(elsewhere.take_call(1, kStart));
}

TEST(Payer, ConnectionsCountUntilTheyEnd) {
  const auto account = std::make_shared<Account>();
  const Limits limits{.connections_max = 1};
  {
    Payer first(share(limits, account), {});
    EXPECT_FALSE(first.take_connection(kStart));
    Payer second(share(limits, account), {});
    ASSERT_TRUE(second.take_connection(kStart));
    EXPECT_EQ(second.take_connection(kStart)->limit, Limit::connections);
    Payer moved = std::move(first);
    EXPECT_EQ(account->open_connections, 1U);
  }
  EXPECT_EQ(account->open_connections, 0U);
}

TEST(Payer, NewConnectionsHaveARateAndAFailureOfTheAddressGivesAllBack) {
  const auto account = std::make_shared<Account>();
  Payer payer(share({.connections = {.per_second = 1, .burst = 1}, .connections_max = 5}, account),
              share({.connections_max = 1}, std::make_shared<Account>()));
  EXPECT_FALSE(payer.take_connection(kStart));
  Payer refused(share({.connections = {.per_second = 1, .burst = 1}, .connections_max = 5}, account), {});
  EXPECT_EQ(refused.take_connection(kStart)->retry_after, seconds(1));
  EXPECT_EQ(account->open_connections, 1U);
}

TEST(Payer, SubscriptionsAreCountedOverConnections) {
  const auto account = std::make_shared<Account>();
  const Limits limits{.subscriptions_max = 2};
  Payer one(share(limits, account), {});
  {
    Payer other(share(limits, account), {});
    EXPECT_FALSE(one.take_subscription(kStart));
    EXPECT_FALSE(other.take_subscription(kStart));
    EXPECT_TRUE(one.take_subscription(kStart));
  }
  EXPECT_FALSE(one.take_subscription(kStart));
  one.give_back_subscriptions(1);
  EXPECT_EQ(account->live_subscriptions, 1U);
  one.give_back_subscriptions(5);
  EXPECT_EQ(account->live_subscriptions, 0U);
}

TEST(Payer, ARepeatedSubscriptionHasItsRateAndStaysOne) {
  const auto account = std::make_shared<Account>();
  Payer payer(share({.subscriptions = {.per_second = 1, .burst = 2}, .subscriptions_max = 1}, account), {});
  EXPECT_FALSE(payer.take_subscription(kStart));
  EXPECT_FALSE(payer.take_subscription_again(kStart));
  EXPECT_EQ(account->live_subscriptions, 1U);
  const auto refused = payer.take_subscription_again(kStart);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->limit, Limit::subscriptions);
  EXPECT_EQ(account->live_subscriptions, 1U);
}

TEST(Payer, AnotherIdentityPaysForTheConnectionAndWhatLives) {
  const auto limits = std::make_shared<const Limits>(Limits{.connections_max = 1, .subscriptions_max = 2});
  const auto address_limits =
      std::make_shared<const Limits>(Limits{.connections_max = 1, .subscriptions_max = 2});
  const auto stranger = std::make_shared<Account>();
  const auto alice = std::make_shared<Account>();
  const auto address = std::make_shared<Account>();
  {
    Payer payer({limits, stranger}, {address_limits, address});
    ASSERT_FALSE(payer.take_connection(kStart));
    ASSERT_FALSE(payer.take_subscription(kStart));
    ASSERT_FALSE(payer.take_subscription(kStart));
    // The address has all it may have, and goes on.
    EXPECT_FALSE(payer.change_identity({limits, alice}, kStart));
    EXPECT_EQ(stranger->open_connections, 0U);
    EXPECT_EQ(stranger->live_subscriptions, 0U);
    EXPECT_EQ(alice->open_connections, 1U);
    EXPECT_EQ(alice->live_subscriptions, 2U);
    EXPECT_EQ(address->open_connections, 1U);
    EXPECT_EQ(address->live_subscriptions, 2U);
    EXPECT_EQ(payer.subscriptions(), 2U);
    EXPECT_EQ(payer.take_subscription(kStart)->limit, Limit::subscriptions);
    payer.give_back_subscriptions(1);
    EXPECT_EQ(alice->live_subscriptions, 1U);
  }
  for (const auto& account : {stranger, alice, address}) {
    EXPECT_EQ(account->open_connections, 0U);
    EXPECT_EQ(account->live_subscriptions, 0U);
  }
}

TEST(Payer, AnIdentityAtItsLimitDoesNotTakeOverAndNothingChanges) {
  const auto many = std::make_shared<const Limits>();
  const auto one_connection = std::make_shared<const Limits>(Limits{.connections_max = 1});
  const auto one_subscription = std::make_shared<const Limits>(Limits{.subscriptions_max = 1});
  const auto stranger = std::make_shared<Account>();
  const auto alice = std::make_shared<Account>();
  Payer before({one_connection, alice}, {});
  ASSERT_FALSE(before.take_connection(kStart));
  Payer payer({many, stranger}, {});
  ASSERT_FALSE(payer.take_connection(kStart));
  ASSERT_FALSE(payer.take_subscription(kStart));
  ASSERT_FALSE(payer.take_subscription(kStart));
  EXPECT_EQ(payer.change_identity({one_connection, alice}, kStart)->limit, Limit::connections);
  EXPECT_EQ(payer.change_identity({one_subscription, alice}, kStart)->limit, Limit::subscriptions);
  EXPECT_EQ(alice->open_connections, 1U);
  EXPECT_EQ(alice->live_subscriptions, 0U);
  EXPECT_EQ(stranger->open_connections, 1U);
  EXPECT_EQ(stranger->live_subscriptions, 2U);
}

TEST(Payer, RenewalsHaveARateOfTheirOwn) {
  const auto limits = std::make_shared<const Limits>(Limits{.requests = {.per_second = 1, .burst = 1}});
  const auto account = std::make_shared<Account>();
  Payer payer({limits, account}, {});
  ASSERT_FALSE(payer.take_call(1, kStart));
  ASSERT_TRUE(payer.take_call(1, kStart));
  for (std::uint64_t i = 0; i < kRenewalRate.burst; ++i) EXPECT_TRUE(payer.take_renewal(kStart));
  EXPECT_FALSE(payer.take_renewal(kStart));
  EXPECT_TRUE(payer.take_renewal(kStart + milliseconds(100)));
  EXPECT_FALSE(account->is_idle(kStart + milliseconds(100)));
  EXPECT_TRUE(Payer().take_renewal(kStart));
}

TEST(Payer, BytesArePaidAfterwards) {
  Payer payer(share({.bytes = {.per_second = 1000, .burst = 1000}}), {});
  EXPECT_FALSE(payer.take_call(1, kStart));
  payer.charge_bytes(3000, kStart);
  const auto refused = payer.take_call(1, kStart);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->limit, Limit::bytes);
  EXPECT_EQ(refused->retry_after, milliseconds(2001));
  EXPECT_FALSE(payer.take_call(1, kStart + milliseconds(2001)));
}

TEST(Payer, WithoutAccountsEverythingIsFree) {
  Payer payer;
  EXPECT_FALSE(payer.is_limited());
  EXPECT_FALSE(payer.take_call(1'000'000, kStart));
  EXPECT_FALSE(payer.take_connection(kStart));
  EXPECT_FALSE(payer.take_subscription(kStart));
  payer.charge_bytes(1'000'000, kStart);
}

}  // namespace
}  // namespace fanfare::access
