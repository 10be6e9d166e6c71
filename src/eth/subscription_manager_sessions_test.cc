// Subscriptions of connections that continue a session: what their clients are sent, and what they are not.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "eth/history.h"
#include "eth/resume_link.h"
#include "eth/subscription_manager_world.h"

namespace fanfare::eth {
namespace {

using worlds::Client;
using worlds::Loop;

struct Link final : ResumeLink {
  explicit Link(ResumeRecord& its_record) : ResumeLink(its_record, its_record.take()) {}
  void on_noted() override { ++noted; }
  void confirm() {
    record().ping(owner());
    record().pong(owner());
  }
  void confirm_all() { record().confirm_all(owner()); }
  int noted = 0;
};

Hash256 block_hash_of(std::uint64_t number) {
  Hash256 hash;
  hash.bytes[0] = static_cast<std::uint8_t>(number);
  return hash;
}
Header head(std::uint64_t number) {
  return {.number = number,
          .hash = block_hash_of(number),
          .parent_hash = block_hash_of(number - 1),
          .json = R"({"number":)" + std::to_string(number) + "}"};
}

struct SessionsWorld {
  explicit SessionsWorld(const ResumeRecordLimits& limits = {}) : record(limits) {
    loop.publish(Baseline{.header = std::make_shared<const Header>(head(4))});
  }
  std::string subscribe(std::string_view params = worlds::kNewHeads) {
    return loop.manager.subscribe(key, client, params, IdScope::shared, link.get()).value();
  }
  void activate(const std::string& id) { missing = loop.manager.activate(key, id); }
  // The connection ends, and another one continues the session.
  void reconnect() {
    loop.manager.drop(key);
    link = std::make_unique<Link>(record);
    client.got.clear();
    ++key;
  }
  void answer(std::vector<HistoryEvent> events, std::uint64_t reached, bool live) {
    HistoryBatch batch{.from = missing->from, .events = std::move(events), .live = live};
    batch.reached = {.number = reached, .hash = block_hash_of(reached), .logs_told = Position::kAll};
    missing = loop.manager.replay(key, missing->id, std::make_shared<const HistoryBatch>(std::move(batch)));
  }

  ResumeRecord record;
  std::unique_ptr<Link> link = std::make_unique<Link>(record);
  Loop loop;
  Client client;
  ConnectionKey key = 1;
  std::optional<SubscriptionManager::Missing> missing;
};

std::string notification(const std::string& id, std::uint64_t number) {
  return R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":")" + id +
         R"(","result":{"number":)" + std::to_string(number) + "}}}";
}

TEST(SubscriptionManagerSessions, SendsNeitherCursorsNorNotices) {
  SessionsWorld world;
  const std::string id = world.subscribe();
  world.activate(id);
  EXPECT_TRUE(world.client.got.empty());
  world.loop.publish_head(head(5));
  EXPECT_EQ(world.client.got, std::vector{notification(id, 5)});
}

TEST(SubscriptionManagerSessions, ContinuesAfterTheLastConfirmedHead) {
  SessionsWorld world;
  const std::string id = world.subscribe();
  world.activate(id);
  world.loop.publish_head(head(5));
  world.link->confirm();
  world.loop.publish_head(head(6));
  world.reconnect();
  EXPECT_EQ(world.subscribe(), id);
  EXPECT_TRUE(world.loop.manager.continues(world.key, id));
  world.activate(id);
  ASSERT_TRUE(world.missing.has_value());
  EXPECT_EQ(world.missing->from.number, 5U);
  world.answer({{.header = std::make_shared<const Header>(head(6))}}, 6, true);
  EXPECT_EQ(world.client.got, std::vector{notification(id, 6)});
  EXPECT_FALSE(world.loop.manager.continues(world.key, id));
  world.loop.publish_head(head(7));
  EXPECT_EQ(world.client.got.back(), notification(id, 7));
}

TEST(SubscriptionManagerSessions, ANewSubscriptionBeginsNow) {
  SessionsWorld world;
  const std::string id = world.subscribe();
  EXPECT_FALSE(world.loop.manager.continues(world.key, id));
  world.activate(id);
  EXPECT_FALSE(world.missing.has_value());
}

TEST(SubscriptionManagerSessions, OneWithOptionsIsNotRemembered) {
  SessionsWorld world;
  world.subscribe(R"(["newHeads",{"cursor":true}])");
  world.subscribe(R"(["newHeads",{"slow":"latest"}])");
  world.subscribe(R"(["syncing"])");
  world.subscribe(R"(["newPendingTransactions"])");
  EXPECT_EQ(world.record.size(), 0U);
  world.subscribe(R"(["logs",{}])");
  EXPECT_EQ(world.record.size(), 1U);
}

TEST(SubscriptionManagerSessions, TheSameFilterInAnotherSpellingContinues) {
  SessionsWorld world;
  const std::string id = world.subscribe(R"(["logs",{"topics":[null,[]]}])");
  world.activate(id);
  world.reconnect();
  EXPECT_EQ(world.subscribe(R"(["logs",{"address":null,"topics":[[],null]}])"), id);
  EXPECT_TRUE(world.loop.manager.continues(world.key, id));
  EXPECT_FALSE(world.loop.manager.continues(world.key, world.subscribe(R"(["logs",{}])")));
}

TEST(SubscriptionManagerSessions, AnUnsubscribedOneIsForgotten) {
  SessionsWorld world;
  const std::string id = world.subscribe();
  world.activate(id);
  EXPECT_TRUE(*world.loop.manager.unsubscribe(world.key, "[\"" + id + "\"]", world.link.get()));
  EXPECT_EQ(world.record.size(), 0U);
}

TEST(SubscriptionManagerSessions, OneOfAnEarlierConnectionSurvivesItsUnsubscription) {
  SessionsWorld world;
  const std::string id = world.subscribe();
  world.activate(id);
  world.reconnect();
  const std::string params = "[\"" + id + "\"]";
  EXPECT_FALSE(world.loop.manager.unsubscribe(world.key, params).has_value());
  EXPECT_TRUE(world.loop.manager.unsubscribe(world.key, params, world.link.get()).has_value());
  EXPECT_FALSE(world.loop.manager.unsubscribe(world.key, R"(["0x1"])", world.link.get()).has_value());
  world.subscribe();
  EXPECT_TRUE(world.loop.manager.continues(world.key, id));
}

TEST(SubscriptionManagerSessions, ARefusedOneStaysRemembered) {
  SessionsWorld world;
  std::string id = world.subscribe();
  world.activate(id);
  world.reconnect();
  id = world.subscribe();
  world.loop.manager.withdraw(world.key, id);
  world.reconnect();
  id = world.subscribe();
  EXPECT_TRUE(world.loop.manager.continues(world.key, id));
}

TEST(SubscriptionManagerSessions, NothingIsSentOnceAnotherConnectionHasTheSession) {
  SessionsWorld world;
  const std::string id = world.subscribe();
  world.activate(id);
  const Link other(world.record);
  world.loop.publish_head(head(5));
  EXPECT_TRUE(world.client.got.empty());
  EXPECT_EQ(world.loop.manager
                .subscribe(world.key, world.client, R"(["logs",{}])", IdScope::shared, world.link.get())
                .error()
                .code,
            -32000);
  EXPECT_EQ(world.loop.manager.subscriptions(), 1U);
}

// Two subscriptions miss something: the connection is closed once, for both, when neither is being replayed.
TEST(SubscriptionManagerSessions, AGapClosesTheConnectionWithTheNotice) {
  SessionsWorld world;
  const std::string heads = world.subscribe();
  const std::string logs = world.subscribe(R"(["logs",{}])");
  world.activate(heads);
  world.activate(logs);
  world.reconnect();
  world.subscribe();
  world.subscribe(R"(["logs",{}])");
  world.activate(logs);
  const auto second = world.missing;
  world.activate(heads);
  const HistoryEvent gap{.kind = HistoryEvent::Kind::missed, .first = 5, .last = 400};
  world.answer({gap}, 400, false);
  EXPECT_FALSE(world.missing.has_value());
  EXPECT_TRUE(world.loop.manager.take_aftermath().closing.empty());
  world.missing = second;
  const HistoryEvent wider{.kind = HistoryEvent::Kind::missed, .first = 4, .last = 401};
  world.answer({wider}, 401, false);
  const auto closing = world.loop.manager.take_aftermath().closing;
  ASSERT_EQ(closing.size(), 1U);
  EXPECT_EQ(closing.front().connections, std::vector{world.key});
  EXPECT_EQ(closing.front().why,
            R"({"type":"missed","fromBlock":"0x4","toBlock":"0x191","reason":"window"})");
  EXPECT_TRUE(world.loop.manager.take_aftermath().closing.empty());
  EXPECT_TRUE(world.client.got.empty());
  // Its client has answered: the session continues after the gap.
  world.link->confirm_all();
  world.reconnect();
  world.subscribe();
  world.activate(heads);
  EXPECT_EQ(world.missing->from.number, 400U);
}

// A block with two logs.
void publish_block(SessionsWorld& world, std::uint64_t number) {
  const BlockLogs::Entry log{.key = {}, .head_json = "{\"a\":1"};
  world.loop.publish_logs(head(number), BlockLogs{.entries = {log, log}}, /*removed=*/false);
}

// Comes back twice without having confirmed what was sent, of which only one position is remembered.
void forget_what_it_may_have(SessionsWorld& world, std::string_view params) {
  const std::string id = world.subscribe(params);
  world.activate(id);
  publish_block(world, 5);
  world.link->confirm();
  for (const std::uint64_t number : {6U, 7U}) {
    publish_block(world, number);
    world.reconnect();
    world.subscribe(params);
    world.activate(id);
    if (number == 6) world.answer({{.header = std::make_shared<const Header>(head(6))}}, 6, true);
  }
  EXPECT_FALSE(world.missing.has_value());
}

// Where the next connection begins.
Position after_the_close(SessionsWorld& world, std::string_view params) {
  world.link->confirm_all();
  world.reconnect();
  world.activate(world.subscribe(params));
  return world.missing.value().from;
}

TEST(SubscriptionManagerSessions, TheRangeOfUncertainHeadsBeginsBehindTheConfirmedOne) {
  SessionsWorld world({.turns_max = 1});
  forget_what_it_may_have(world, worlds::kNewHeads);
  const auto closing = world.loop.manager.take_aftermath().closing;
  ASSERT_EQ(closing.size(), 1U);
  EXPECT_EQ(closing.front().why, R"({"type":"reorged","fromBlock":"0x6","toBlock":"0x7"})");
  EXPECT_EQ(after_the_close(world, worlds::kNewHeads).number, 5U);
}

TEST(SubscriptionManagerSessions, TheLogsOfTheFirstUncertainBlockComeAgain) {
  constexpr std::string_view kLogs = R"(["logs",{}])";
  SessionsWorld world({.turns_max = 1});
  forget_what_it_may_have(world, kLogs);
  const auto closing = world.loop.manager.take_aftermath().closing;
  ASSERT_EQ(closing.size(), 1U);
  EXPECT_EQ(closing.front().why, R"({"type":"reorged","fromBlock":"0x5","toBlock":"0x7"})");
  const Position from = after_the_close(world, kLogs);
  EXPECT_EQ(from.number, 5U);
  EXPECT_EQ(from.logs_told, 0U);
}

// It would look like an event to clients that do not know it.
TEST(SubscriptionManagerSessions, LiveGapsCloseTheConnectionToo) {
  SessionsWorld world;
  const std::string id = world.subscribe(R"(["logs",{}])");
  world.activate(id);
  const auto header = std::make_shared<const Header>(head(5));
  world.loop.publish(BlockAdded{.header = header, .logs = nullptr});
  world.loop.publish(LogsMissing{.header = header});
  const auto closing = world.loop.manager.take_aftermath().closing;
  ASSERT_EQ(closing.size(), 1U);
  EXPECT_EQ(closing.front().why,
            R"({"type":"missed","fromBlock":"0x5","toBlock":"0x5","reason":"unavailable"})");
  EXPECT_TRUE(world.client.got.empty());
  // What follows is not counted as received.
  world.link->confirm_all();
  world.reconnect();
  world.subscribe(R"(["logs",{}])");
  world.activate(id);
  EXPECT_EQ(world.missing->from.number, 4U);
}

}  // namespace
}  // namespace fanfare::eth
