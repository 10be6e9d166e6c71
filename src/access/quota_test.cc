#include "access/quota.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace fanfare::access {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant kStart{std::chrono::hours(1)};
constexpr Duration kNow = Duration::zero();

TEST(Bucket, TheBurstAndThenTheRate) {
  const Rate rate{.per_second = 10, .burst = 3};
  Bucket bucket;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.take(rate, 1, kStart), kNow);
  EXPECT_EQ(bucket.take(rate, 1, kStart), milliseconds(100));
  EXPECT_EQ(bucket.take(rate, 1, kStart + milliseconds(99)), milliseconds(1));
  EXPECT_EQ(bucket.take(rate, 1, kStart + milliseconds(100)), kNow);
  EXPECT_EQ(bucket.take(rate, 1, kStart + milliseconds(100)), milliseconds(100));
}

TEST(Bucket, ARefusedCallCostsNothing) {
  const Rate rate{.per_second = 10, .burst = 1};
  Bucket bucket;
  EXPECT_EQ(bucket.take(rate, 1, kStart), kNow);
  for (int i = 0; i < 1000; ++i) EXPECT_GT(bucket.take(rate, 1, kStart), kNow);
  EXPECT_EQ(bucket.take(rate, 1, kStart + milliseconds(100)), kNow);
}

TEST(Bucket, AQuietTimeFillsItToTheBurstOnly) {
  const Rate rate{.per_second = 10, .burst = 2};
  Bucket bucket;
  bucket.take(rate, 2, kStart);
  const Instant later = kStart + std::chrono::hours(10);
  EXPECT_EQ(bucket.take(rate, 2, later), kNow);
  EXPECT_GT(bucket.take(rate, 1, later), kNow);
}

TEST(Bucket, WithoutABurstASecondIsOne) {
  const Rate rate{.per_second = 5};
  Bucket bucket;
  EXPECT_EQ(bucket.take(rate, 5, kStart), kNow);
  EXPECT_EQ(bucket.take(rate, 1, kStart), milliseconds(200));
}

TEST(Bucket, WhatCostsMoreThanTheBurstWaitsForAFullOneAndLeavesADebt) {
  const Rate rate{.per_second = 10, .burst = 2};
  Bucket bucket;
  EXPECT_EQ(bucket.take(rate, 10, kStart), kNow);
  EXPECT_EQ(bucket.take(rate, 1, kStart), milliseconds(900));
  // Full again after one second: 10 tokens came, 8 of them for the debt.
  EXPECT_EQ(bucket.take(rate, 10, kStart + milliseconds(999)), milliseconds(1));
  EXPECT_EQ(bucket.take(rate, 10, kStart + seconds(1)), kNow);
}

TEST(Bucket, ADebtHasALimit) {
  const Rate rate{.per_second = 1, .burst = 1};
  Bucket bucket;
  bucket.charge(rate, kTokensMax, kStart);
  EXPECT_EQ(bucket.wait_for(rate, 1, kStart), kDebtTimeMax + seconds(1));
  EXPECT_FALSE(bucket.is_idle(kStart + kDebtTimeMax));
  EXPECT_TRUE(bucket.is_idle(kStart + kDebtTimeMax + kBurstTimeMax));
}

TEST(Bucket, GivesBack) {
  const Rate rate{.per_second = 10, .burst = 1};
  Bucket bucket;
  bucket.take(rate, 1, kStart);
  bucket.give_back(rate, 1);
  EXPECT_EQ(bucket.take(rate, 1, kStart), kNow);
}

TEST(Bucket, WithoutARateThereIsNoLimit) {
  Bucket bucket;
  EXPECT_EQ(bucket.take({}, kTokensMax, kStart), kNow);
  bucket.charge({}, kTokensMax, kStart);
  EXPECT_EQ(bucket.wait_for({}, 1, kStart), kNow);
  EXPECT_TRUE(bucket.is_idle(kStart));
}

TEST(Bucket, ThreadsTogetherTakeTheBurstAndNoMore) {
  const Rate rate{.per_second = 1, .burst = 50};
  Bucket bucket;
  std::atomic<int> taken = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) taken += bucket.take(rate, 1, kStart) == kNow ? 1 : 0;
    });
  }
  threads.clear();
  EXPECT_EQ(taken, 50);
}

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

TEST(Payer, AnIdentityThatComesLaterPaysForWhatIsThere) {
  const auto account = std::make_shared<Account>();
  const auto address = std::make_shared<Account>();
  const Limits one{.connections_max = 1};
  {
    Payer first({}, share({}, address));
    Payer second({}, share({}, address));
    EXPECT_FALSE(first.take_connection(kStart));
    EXPECT_FALSE(first.take_subscription(kStart));
    EXPECT_FALSE(second.take_connection(kStart));
    EXPECT_FALSE(first.add_identity(share(one, account), kStart));
    EXPECT_EQ(account->open_connections, 1U);
    EXPECT_EQ(account->live_subscriptions, 1U);
    const auto refused = second.add_identity(share(one, account), kStart);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->limit, Limit::connections);
    EXPECT_EQ(account->open_connections, 1U);
    EXPECT_EQ(address->open_connections, 2U);
  }
  EXPECT_EQ(account->open_connections, 0U);
  EXPECT_EQ(account->live_subscriptions, 0U);
  EXPECT_EQ(address->open_connections, 0U);
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
