// Pending transactions, and what becomes of subscriptions that missed some.

#include "eth/feeds/new_pending_transactions.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "eth/subscription_manager_world.h"

namespace fanfare::eth {
namespace {

using worlds::Client;
using worlds::kBlock;
using worlds::Loop;

std::string as_params(const std::string& id) {
  return "[\"" + id + "\"]";
}

TEST(NewPendingTransactions, OnlyWhoIsLiveCanMissSomething) {
  Loop loop;
  Client waiting;
  Client hashes;
  Client bodies;
  const auto id = loop.manager.subscribe(1, waiting, R"(["newPendingTransactions",true])");
  ASSERT_TRUE(id);
  loop.miss_pending(false);
  EXPECT_TRUE(loop.closed.empty());
  loop.miss_pending(true);
  EXPECT_TRUE(loop.closed.empty());
  loop.subscribe(2, hashes, R"(["newPendingTransactions"])");
  loop.subscribe(3, bodies, R"(["newPendingTransactions",true])");
  loop.miss_pending(false);
  EXPECT_EQ(loop.closed, (std::vector<ConnectionKey>{2, 3}));
  loop.miss_pending(true);
  EXPECT_EQ(loop.closed, std::vector<ConnectionKey>{3});
  loop.manager.activate(1, *id);
  loop.miss_pending(true);
  EXPECT_EQ(loop.closed.size(), 2U);
}

TEST(NewPendingTransactions, PendingHashesAndBodiesAreTwoTopics) {
  Loop loop;
  Client hashes;
  Client bodies;
  Client syncing;
  loop.subscribe(1, hashes, R"(["newPendingTransactions"])");
  EXPECT_EQ(loop.manager.interest().pending, PendingWanted::hashes);
  loop.subscribe(2, hashes, R"(["newPendingTransactions",false])");
  EXPECT_EQ(loop.manager.topics(), 1U);
  loop.subscribe(3, bodies, R"(["newPendingTransactions",true])");
  loop.subscribe(4, syncing, R"(["syncing"])");
  Interest both{.pending = PendingWanted::bodies};
  both.sources.set(static_cast<std::size_t>(SubscriptionType::syncing));
  EXPECT_EQ(loop.manager.interest(), both);
  EXPECT_EQ(loop.publish_pending_hash("0xab"), 2U);
  EXPECT_EQ(loop.publish_pending_body(R"({"hash":"0xab"})"), 1U);
  EXPECT_EQ(loop.publish_syncing("false"), 1U);
  EXPECT_TRUE(hashes.got.at(0).ends_with(R"("result":"0xab"}})"));
  EXPECT_TRUE(bodies.got.at(0).ends_with(R"("result":{"hash":"0xab"}}})"));
  EXPECT_TRUE(syncing.got.at(0).ends_with(R"("result":false}})"));
}

TEST(NewPendingTransactions, AHoleInPendingTransactionsEndsThoseWithNoticesAndNothingElse) {
  Loop loop;
  Client client;
  Client without;
  const std::string heads = loop.subscribe(1, client);
  const std::string hashes = loop.subscribe(1, client, R"(["newPendingTransactions",false,{"cursor":true}])");
  const std::string bodies = loop.subscribe(1, client, R"(["newPendingTransactions",true,{"cursor":true}])");
  const auto waiting =
      loop.manager.subscribe(2, without, R"(["newPendingTransactions",false,{"cursor":true}])");
  loop.subscribe(3, without, R"(["newPendingTransactions"])");
  EXPECT_EQ(loop.manager.interest().pending, PendingWanted::bodies);
  EXPECT_EQ(loop.publish_pending_hash("0xab"), 2U);
  EXPECT_EQ(loop.publish_pending_body("{}"), 1U);
  const auto ended = [](const std::string& id) {
    return R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":")" + id +
           R"(","notice":{"type":"ended","reason":"missed","message":"pending transactions may have been missed: a \"hole\""}}})";
  };

  client.got.clear();
  EXPECT_EQ(loop.miss_pending(true), 1U);
  EXPECT_TRUE(loop.closed.empty());
  EXPECT_EQ(client.got, std::vector<std::string>{ended(bodies)});
  EXPECT_FALSE(loop.manager.unsubscribe(1, as_params(bodies)));
  EXPECT_EQ(loop.manager.interest().pending, PendingWanted::hashes);

  client.got.clear();
  EXPECT_EQ(loop.miss_pending(false), 1U);
  EXPECT_EQ(loop.closed, std::vector<ConnectionKey>{3});
  EXPECT_EQ(client.got, std::vector<std::string>{ended(hashes)});
  EXPECT_EQ(loop.manager.counters().ended, 2U);
  EXPECT_EQ(loop.publish_head("{}"), 1U);  // continues
  loop.manager.activate(2, *waiting);      // was not live, so it missed nothing
  EXPECT_EQ(loop.publish_pending_hash("0xcd"), 2U);
  // They have no position in the chain, so they get no notice about one.
  loop.publish(Baseline{std::make_shared<const Header>(kBlock)});
  loop.publish(Baseline{std::make_shared<const Header>(kBlock)});
  EXPECT_TRUE(loop.manager.take_aftermath().missing.empty());
  EXPECT_EQ(without.got.size(), 3U);
}

TEST(NewPendingTransactions, ANoticeThatEndsItsConnectionEndsItsSubscriptionsOnce) {
  Loop loop;
  Client client;
  loop.subscribe(1, client, R"(["newPendingTransactions",false,{"cursor":true}])");
  loop.subscribe(1, client, R"(["newPendingTransactions",true,{"cursor":true}])");
  client.then = [&] { loop.manager.drop(1); };
  EXPECT_EQ(loop.miss_pending(false), 0U);
  EXPECT_EQ(client.got.size(), 1U);
  EXPECT_EQ(loop.manager.subscriptions(), 0U);
}

}  // namespace
}  // namespace fanfare::eth
