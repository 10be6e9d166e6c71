#include "eth/subscription_manager.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "eth/subscription_manager_world.h"

namespace fanfare::eth {
namespace {

using worlds::Client;
using worlds::kBlock;
using worlds::kNewHeads;
using worlds::Loop;

std::string as_params(const std::string& id) {
  return "[\"" + id + "\"]";
}

TEST(SubscriptionManager, ANotificationIsExactlyWhatClientsExpect) {
  Loop loop;
  Client client;
  const std::string id = loop.subscribe(1, client);
  EXPECT_EQ(loop.publish_head(R"({"number":"0x1"})"), 1U);
  ASSERT_EQ(client.got.size(), 1U);
  EXPECT_EQ(client.got[0], R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":")" + id +
                               R"(","result":{"number":"0x1"}}})");
}

TEST(SubscriptionManager, WhatIsWithdrawnIsAsIfItHadNotBeen) {
  Loop loop;
  Client client;
  const auto id = loop.manager.subscribe(1, client, R"(["newPendingTransactions"])");
  ASSERT_TRUE(id);
  loop.manager.withdraw(2, *id);  // belongs to another connection
  EXPECT_EQ(loop.manager.interest().pending, PendingWanted::hashes);
  loop.manager.withdraw(1, *id);
  loop.manager.withdraw(1, *id);
  EXPECT_EQ(loop.manager.interest().pending, PendingWanted::nothing);
  EXPECT_EQ(loop.manager.subscriptions(), 0U);
  EXPECT_EQ(loop.manager.counters().refused, 1U);
  EXPECT_FALSE(loop.manager.activate(1, *id));
  EXPECT_EQ(loop.publish_pending_hash("0x1"), 0U);
}

TEST(SubscriptionManager, AllFirstSubscriptionsShareOneFrame) {
  Loop loop;
  std::vector<Client> clients(50);
  for (std::size_t i = 0; i < clients.size(); ++i) loop.subscribe(i, clients[i]);
  EXPECT_EQ(loop.publish_head("{}"), 50U);
  for (const Client& client : clients) EXPECT_EQ(client.addresses, clients[0].addresses);
  EXPECT_EQ(loop.manager.counters().encoded, 1U);
  EXPECT_EQ(loop.manager.topics(), 1U);
  EXPECT_EQ(loop.topics.topics(), 1U);
}

TEST(SubscriptionManager, TheSameTopicHasTheSameIdOnEveryLoopAndAnotherOnAnotherNetwork) {
  Loop one;
  Loop two;
  Client a;
  Client b;
  EXPECT_EQ(one.subscribe(1, a), two.subscribe(9, b));
  SubscriptionManager other({.network = "main/10", .salt = {7}}, one.topics,
                            [](std::string_view text) { return SharedBytes(as_bytes(text)); });
  EXPECT_NE(other.subscribe(1, a, kNewHeads).value(), one.manager.subscribe(2, b, kNewHeads).value());
  other.drop(1);
}

TEST(SubscriptionManager, TwoOfOneConnectionHaveTwoIdsAndTheLowestFreeOneIsGivenNext) {
  Loop loop;
  Client client;
  Client other;
  const std::string first = loop.subscribe(1, client);
  const std::string second = loop.subscribe(1, client);
  EXPECT_NE(first, second);
  EXPECT_EQ(loop.subscribe(2, other), first);
  EXPECT_EQ(loop.publish_head("{}"), 3U);
  EXPECT_EQ(client.got.size(), 2U);
  EXPECT_EQ(other.got.size(), 1U);
  EXPECT_EQ(loop.manager.counters().encoded, 2U);
  EXPECT_TRUE(loop.manager.unsubscribe(1, as_params(first)).value());
  EXPECT_EQ(loop.subscribe(1, client), first);
}

TEST(SubscriptionManager, NothingIsDeliveredBeforeActivation) {
  Loop loop;
  Client client;
  const auto id = loop.manager.subscribe(1, client, kNewHeads);
  ASSERT_TRUE(id);
  EXPECT_EQ(loop.publish_head("{}"), 0U);
  EXPECT_EQ(loop.manager.counters().encoded, 0U);
  loop.manager.activate(1, *id);
  loop.manager.activate(1, *id);  // a second call has no effect
  EXPECT_EQ(loop.publish_head("{}"), 1U);
  EXPECT_EQ(client.got.size(), 1U);
}

TEST(SubscriptionManager, ActivatingWhatIsGoneDoesNothing) {
  Loop loop;
  Client client;
  const auto id = loop.manager.subscribe(1, client, kNewHeads);
  ASSERT_TRUE(id);
  EXPECT_TRUE(loop.manager.unsubscribe(1, as_params(*id)));
  loop.manager.activate(1, *id);
  loop.manager.activate(2, *id);
  EXPECT_EQ(loop.publish_head("{}"), 0U);
  EXPECT_EQ(loop.manager.connections(), 0U);
  EXPECT_EQ(loop.manager.topics(), 0U);
}

TEST(SubscriptionManager, IdsAreComparedAsNumbers) {
  Loop loop;
  Client client;
  std::string id = loop.subscribe(1, client);
  EXPECT_TRUE(id.starts_with("0x"));
  EXPECT_NE(id[2], '0');
  std::string padded = "0X000" + id.substr(2);
  for (char& c : padded) {
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  }
  EXPECT_TRUE(loop.manager.unsubscribe(1, as_params(padded)).value());
}

TEST(SubscriptionManager, UnsubscribeOfWhatIsNotOursIsNotFound) {
  Loop loop;
  Client client;
  const std::string id = loop.subscribe(1, client);
  for (const std::string& bad : {std::string("0x1"), std::string("nonsense"), std::string(),
                                 std::string("0x"), "0x1" + std::string(40, '0'), std::string("0xzz")}) {
    const auto result = loop.manager.unsubscribe(1, as_params(bad));
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, -32000);
    EXPECT_EQ(result.error().message, "subscription not found");
  }
  EXPECT_EQ(loop.manager.unsubscribe(2, as_params(id)).error().code, -32000);  // another connection's
  EXPECT_TRUE(loop.manager.unsubscribe(1, as_params(id)));
  EXPECT_EQ(loop.manager.unsubscribe(1, as_params(id)).error().code, -32000);
  EXPECT_EQ(loop.manager.unsubscribe(1, "[]").error().code, -32602);
  EXPECT_EQ(loop.manager.unsubscribe(1, "[7]").error().code, -32602);
  EXPECT_EQ(loop.manager.unsubscribe(1, "").error().code, -32602);
}

TEST(SubscriptionManager, BadSubscribeRequestsAndTheirCodes) {
  Loop loop;
  Client client;
  const auto code = [&](std::string_view params) {
    const auto result = loop.manager.subscribe(1, client, params);
    return result ? 0 : result.error().code;
  };
  EXPECT_EQ(code(""), -32602);
  EXPECT_EQ(code("null"), -32602);
  EXPECT_EQ(code("[]"), -32602);
  EXPECT_EQ(code("{}"), -32602);
  EXPECT_EQ(code("[1]"), -32602);
  EXPECT_EQ(code(R"(["newHeads",true])"), -32602);
  EXPECT_EQ(code(R"(["nonsense"])"), -32601);
  EXPECT_EQ(code(R"(["newheads"])"), -32601);
  EXPECT_EQ(loop.manager.counters().refused, 8U);
  EXPECT_EQ(loop.manager.subscriptions(), 0U);
  EXPECT_EQ(code(R"(["newHeads",null])"), 0);
  EXPECT_EQ(code(R"(["newHeads",{}])"), 0);
}

TEST(SubscriptionManager, TheLimitIsPerConnectionAndRoomComesBack) {
  Loop loop(2);
  Client client;
  Client other;
  const std::string first = loop.subscribe(1, client);
  loop.subscribe(1, client);
  const auto third = loop.manager.subscribe(1, client, kNewHeads);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, -32005);
  loop.subscribe(2, other);
  EXPECT_TRUE(loop.manager.unsubscribe(1, as_params(first)));
  loop.subscribe(1, client);
  EXPECT_EQ(loop.manager.subscriptions(), 3U);
  EXPECT_EQ(loop.manager.subscriptions(SubscriptionType::new_heads), 3U);
  EXPECT_EQ(loop.manager.subscriptions_of(1), 2U);
}

TEST(SubscriptionManager, ADroppedConnectionHearsNothingMore) {
  Loop loop;
  Client client;
  Client other;
  loop.subscribe(1, client);
  loop.subscribe(1, client);
  loop.subscribe(2, other);
  loop.manager.drop(1);
  loop.manager.drop(1);
  EXPECT_EQ(loop.publish_head("{}"), 1U);
  EXPECT_TRUE(client.got.empty());
  EXPECT_EQ(loop.manager.counters().dropped, 2U);
  EXPECT_EQ(loop.manager.connections(), 1U);
}

TEST(SubscriptionManager, DroppingWithinADeliveryHarmsNobody) {
  Loop loop;
  std::vector<Client> clients(4);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    loop.subscribe(i, clients[i]);
    loop.subscribe(i, clients[i]);
  }
  clients[1].then = [&] { loop.manager.drop(1); };
  clients[2].then = [&] { loop.manager.drop(3); };
  EXPECT_EQ(loop.publish_head("{}"), 5U);
  EXPECT_EQ(clients[0].got.size(), 2U);
  EXPECT_EQ(clients[1].got.size(), 1U);
  EXPECT_EQ(clients[2].got.size(), 2U);
  EXPECT_EQ(clients[3].got.size(), 0U);
  clients[0].then = [&] {
    for (ConnectionKey key = 0; key < 4; ++key) loop.manager.drop(key);
  };
  EXPECT_EQ(loop.publish_head("{}"), 1U);  // the last subscriber leaves, and the topic with it
  EXPECT_EQ(loop.manager.topics(), 0U);
  EXPECT_EQ(loop.topics.topics(), 0U);
}

TEST(SubscriptionManager, ATableThatOutlivesTheNetworkForgetsIt) {
  pubsub::TopicTable table;
  Client client;
  {
    SubscriptionManager manager({.network = "x"}, table,
                                [](std::string_view text) { return SharedBytes(as_bytes(text)); });
    manager.activate(1, manager.subscribe(1, client, kNewHeads).value());
    EXPECT_EQ(table.subscriptions(), 1U);
  }
  EXPECT_EQ(table.subscriptions(), 0U);
}

TEST(SubscriptionManager, TypesThatNobodyPublishesAreUnknown) {
  Loop loop(100, kNewHeadsOnly);
  Client client;
  for (const char* params : {R"(["logs",{}])", R"(["newPendingTransactions"])", R"(["syncing"])"}) {
    EXPECT_EQ(loop.manager.subscribe(1, client, params).error().code, -32601) << params;
  }
  EXPECT_TRUE(loop.manager.subscribe(1, client, kNewHeads));
}

TEST(SubscriptionManager, BadParametersOfTheOtherTypes) {
  Loop loop;
  Client client;
  const auto code = [&](std::string_view params) {
    const auto result = loop.manager.subscribe(1, client, params);
    return result ? 0 : result.error().code;
  };
  EXPECT_EQ(code(R"(["logs",{"address":"0x1"}])"), -32602);
  EXPECT_EQ(code(R"(["logs",7])"), -32602);
  EXPECT_EQ(code(R"(["newPendingTransactions","yes"])"), -32602);
  EXPECT_EQ(code(R"(["syncing",1])"), -32602);
  EXPECT_EQ(code(R"(["logs",null])"), 0);
}

TEST(SubscriptionId, SipHashGivesThePublishedVector) {
  Salt key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  // The reference vectors print bytes; the words here are their little-endian halves.
  const SubscriptionId empty = siphash128(key, {});
  EXPECT_EQ(empty.high, 0xe6a825ba047f81a3U);
  EXPECT_EQ(empty.low, 0x930255c71472f66dU);
}

TEST(SubscriptionId, TextIsAQuantityAndComesBack) {
  EXPECT_EQ(to_text({.high = 0, .low = 0x1f}), "0x1f");
  EXPECT_EQ(to_text({.high = 1, .low = 0x1f}), "0x1000000000000001f");
  EXPECT_EQ(parse_subscription_id("0x1000000000000001f"), (SubscriptionId{.high = 1, .low = 0x1f}));
  EXPECT_EQ(parse_subscription_id("0x0"), (SubscriptionId{}));
  EXPECT_FALSE(parse_subscription_id("0x"));
  EXPECT_FALSE(parse_subscription_id("1f"));
  EXPECT_FALSE(parse_subscription_id("0x1g"));
}

}  // namespace
}  // namespace fanfare::eth
