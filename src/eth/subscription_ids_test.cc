// Subscriptions with their own ids, beside those with shared ids.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "eth/subscription_manager_world.h"

namespace fanfare::eth {
namespace {

using worlds::Client;
using worlds::kNewHeads;
using worlds::Loop;

std::string own(Loop& loop, ConnectionKey key, Client& client, std::string_view params = kNewHeads) {
  const std::string id = loop.manager.subscribe(key, client, params, IdScope::own).value();
  loop.manager.activate(key, id);
  return id;
}

std::string as_params(const std::string& id) {
  return "[\"" + id + "\"]";
}

TEST(SubscriptionIds, OfTheirOwnDifferBetweenConnectionsAndTimes) {
  Loop loop;
  std::vector<Client> clients(50);
  std::set<std::string> ids;
  for (ConnectionKey key = 0; key < clients.size(); ++key) {
    for (int i = 0; i < 3; ++i) {
      const std::string id = own(loop, key, clients[key]);
      EXPECT_TRUE(ids.insert(id).second);
      // Not reused even when it is free: a late notification must not seem to belong to another subscription.
      if (i == 0) {
        EXPECT_TRUE(loop.manager.unsubscribe(key, as_params(id)));
      }
    }
  }
  Client shared;
  EXPECT_TRUE(ids.insert(loop.subscribe(1000, shared)).second);
  EXPECT_EQ(loop.manager.topics(), 1U);
  EXPECT_EQ(loop.publish_head("{}"), 2 * clients.size() + 1);
}

TEST(SubscriptionIds, OfTheirOwnDifferBetweenLoops) {
  pubsub::TopicTable topics;
  std::set<std::string> ids;
  for (const std::size_t loop : {0, 1}) {
    SubscriptionManager manager({.network = "main/1", .salt = {7}, .loop = loop}, topics,
                                [](std::string_view text) { return SharedBytes(as_bytes(text)); });
    Client client;
    ids.insert(manager.subscribe(1, client, kNewHeads, IdScope::own).value());
  }
  EXPECT_EQ(ids.size(), 2U);
}

TEST(SubscriptionIds, EachIsToldUnderItsOwnAndSharedFramesStayShared) {
  Loop loop;
  Client alone;
  Client one;
  Client other;
  const std::string id = own(loop, 1, alone);
  const std::string shared = loop.subscribe(2, one);
  EXPECT_EQ(loop.subscribe(3, other), shared);
  EXPECT_EQ(loop.publish_head("{}"), 3U);
  EXPECT_EQ(loop.manager.counters().encoded, 2U);
  EXPECT_NE(alone.got.at(0).find('"' + id + '"'), std::string::npos);
  EXPECT_NE(one.got.at(0).find('"' + shared + '"'), std::string::npos);
  EXPECT_EQ(one.addresses, other.addresses);
}

TEST(SubscriptionIds, OfTheirOwnAreForgottenWithTheirConnection) {
  Loop loop;
  Client client;
  Client stays;
  const std::string kept = own(loop, 2, stays);
  for (int round = 0; round < 1000; ++round) {
    own(loop, 1, client);
    own(loop, 1, client, R"(["logs",{}])");
    loop.manager.drop(1);
  }
  EXPECT_EQ(loop.manager.subscriptions(), 1U);
  EXPECT_EQ(loop.publish_head("{}"), 1U);
  EXPECT_TRUE(client.got.empty());
  EXPECT_FALSE(loop.manager.unsubscribe(1, as_params(kept)));  // belongs to another connection
  EXPECT_TRUE(loop.manager.unsubscribe(2, as_params(kept)));
  EXPECT_EQ(loop.manager.topics(), 0U);
}

TEST(SubscriptionIds, OfTheirOwnWorkWithCursorsAndTheLatestHead) {
  Loop loop;
  Client client;
  loop.publish(Baseline{std::make_shared<const Header>(worlds::kBlock)});
  const std::string id = own(loop, 1, client, R"(["newHeads",{"cursor":true,"slow":"latest"}])");
  ASSERT_EQ(client.got.size(), 1U);  // the notice with its position
  EXPECT_NE(client.got[0].find('"' + id + '"'), std::string::npos);
  Header next = worlds::kBlock;
  ++next.number;
  EXPECT_EQ(loop.publish_head(next), 1U);
  EXPECT_NE(client.got.at(1).find('"' + id + '"'), std::string::npos);
}

}  // namespace
}  // namespace fanfare::eth
