#include "eth/chain_view.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "eth/chain_source_world.h"

namespace fanfare::eth {
namespace {

// Gives every block exactly `count` logs.
void give_logs(ChainSourceWorld& world, std::uint64_t count) {
  world.node.fill_block = [count](SimulatedBlock& block) {
    for (std::uint64_t i = 0; i < count; ++i) {
      block.logs.push_back(R"({"address":")" + simulated_address(1) +
                           R"(","topics":[],"data":"0x","blockNumber":")" + to_quantity(block.number) +
                           R"(","transactionHash":"0x1","transactionIndex":"0x0","blockHash":")" +
                           to_hex(block.hash) + R"(","logIndex":")" + to_quantity(i) + R"("})");
    }
    block.bloom = "0x" + std::string(512, count > 0 ? '1' : '0');
    block.receipts = {receipt_of(block, simulated_topic(1), true)};
  };
}

// Adds one subscriber to all logs, from the start.
struct LogsWorld : ChainSourceWorld {
  explicit LogsWorld(std::uint64_t count, const ChainSourceOptions& options = {})
      : ChainSourceWorld(options) {
    give_logs(*this, count);
    start();
    subscribe(1, logs, R"(["logs",{}])");
  }
  RecordingSubscriber logs;
};

// "12:0+" is log 0 of block 12, "12:0-" the same removed.
std::vector<std::string> short_form(const std::vector<std::string>& results) {
  std::vector<std::string> out;
  for (const std::string& result : results) {
    const auto text = [&result](std::string_view name) {
      return std::to_string(
          parse_quantity(jsonrpc::string_value(jsonrpc::member(result, name).value()).value()).value());
    };
    const bool removed = jsonrpc::bool_value(jsonrpc::member(result, "removed").value()).value();
    out.push_back(text("blockNumber") + ":" + text("logIndex") + (removed ? "-" : "+"));
  }
  return out;
}

using Strings = std::vector<std::string>;

TEST(ChainView, AsksForNoLogsWhileNobodyWantsThem) {
  ChainSourceWorld world;
  world.start();
  world.node.mine(5);
  world.tick();
  EXPECT_EQ(world.all<BlockAdded>().size(), 5U);
  EXPECT_EQ(world.node.asked.count("eth_getLogs"), 0U);
}

TEST(ChainView, OneCallABlockHoweverManySubscribe) {
  ChainSourceWorld world;
  give_logs(world, 2);
  world.start();
  std::vector<RecordingSubscriber> subscribers(20);
  for (std::size_t i = 0; i < subscribers.size(); ++i) world.subscribe(i, subscribers[i], R"(["logs",{}])");
  world.node.mine(5);
  world.tick();
  EXPECT_EQ(world.node.asked["eth_getLogs"], 5U);
  for (const RecordingSubscriber& one : subscribers) EXPECT_EQ(one.results.size(), 10U);
}

bool asks_for_logs(const jsonrpc::UpstreamCall& call) {
  return call.method == "eth_getLogs" || call.method == "eth_getBlockReceipts";
}

// With these options no block is announced before its logs, if its logs come at all.
ChainSourceOptions patient() {
  return {.chain = {.head_wait = std::chrono::hours(1)}};
}

TEST(ChainView, ABlockIsAnnouncedOnceItsLogsAreKnownAndInOrder) {
  LogsWorld world(1, patient());
  RecordingSubscriber heads;
  world.subscribe(2, heads, R"(["newHeads"])");
  world.node.mine(3);
  std::vector<jsonrpc::UpstreamCall> waiting;
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    if (call.method != "eth_getLogs") return false;
    waiting.push_back(call);
    return true;
  };
  world.tick();
  ASSERT_EQ(waiting.size(), 3U);
  EXPECT_TRUE(heads.results.empty());
  world.reply(waiting[2].id, world.node.answer(waiting[2]));
  world.publish();
  EXPECT_TRUE(heads.results.empty());
  world.reply(waiting[0].id, world.node.answer(waiting[0]));
  world.publish();
  EXPECT_EQ(heads.results.size(), 1U);
  world.reply(waiting[1].id, world.node.answer(waiting[1]));
  world.publish();
  EXPECT_EQ(heads.results.size(), 3U);
  EXPECT_EQ(short_form(world.logs.results), (Strings{"1:0+", "2:0+", "3:0+"}));
}

TEST(ChainView, AReorgRemovesNewestFirstAndThenTellsTheNewBranch) {
  LogsWorld world(2);
  world.node.mine(3);
  world.tick();
  world.logs.results.clear();
  world.node.reorg(2, 3);
  world.catch_up();
  EXPECT_EQ(short_form(world.logs.results),
            (Strings{"3:1-", "3:0-", "2:1-", "2:0-", "2:0+", "2:1+", "3:0+", "3:1+", "4:0+", "4:1+"}));
}

TEST(ChainView, ARevertedChainTellsNothingUntilTheNextBlock) {
  LogsWorld world(1);
  world.node.mine(4);
  world.tick();
  world.logs.results.clear();
  world.node.revert(2);
  for (int i = 0; i < 5; ++i) world.tick();
  EXPECT_TRUE(world.logs.results.empty());
  world.node.mine(1);
  world.catch_up();
  EXPECT_EQ(short_form(world.logs.results), (Strings{"4:0-", "3:0-", "3:0+"}));
}

TEST(ChainView, WhatWasNeverToldIsNotRemoved) {
  LogsWorld world(1, patient());
  world.node.mine(2);
  world.held = [](const jsonrpc::UpstreamCall& call) { return call.method == "eth_getLogs"; };
  world.tick();
  world.node.reorg(1, 2);
  world.held = nullptr;
  world.catch_up();
  EXPECT_EQ(short_form(world.logs.results), (Strings{"1:0+", "2:0+", "3:0+"}));
  EXPECT_TRUE(world.all<BlockRemoved>().empty());
}

TEST(ChainView, AnEmptyAnswerAgainstTheBloomIsAskedAgainElsewhere) {
  LogsWorld world(1);
  world.node.mine(1);
  std::vector<std::uint32_t> attempts;
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    if (!asks_for_logs(call)) return false;
    attempts.push_back(call.attempt);
    return attempts.size() < 4 && world.reply(call.id, "[]");
  };
  world.catch_up();
  EXPECT_EQ(attempts, (std::vector<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(short_form(world.logs.results), (Strings{"1:0+"}));
  EXPECT_EQ(world.source.chain_status().retries, 3U);
}

TEST(ChainView, LogsThatCannotBeHadAreReportedMissingAndTheHeadGoesOn) {
  LogsWorld world(1, {.chain = {.logs_attempts_max = 3}});
  RecordingSubscriber heads;
  world.subscribe(2, heads, R"(["newHeads"])");
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    return asks_for_logs(call) && world.reply(call.id, "[]");
  };
  world.node.mine(1);
  world.catch_up();
  ASSERT_EQ(world.all<LogsMissing>().size(), 1U);
  EXPECT_EQ(world.all<LogsMissing>()[0].header->number, 1U);
  EXPECT_EQ(world.all<LogsMissing>()[0].why, "no logs, but the block's bloom filter is not empty");
  EXPECT_EQ(heads.results.size(), 1U);
  EXPECT_TRUE(world.source.chain_status().bloom_trusted);
  // The view stops waiting for logs on a chain whose blooms always claim some.
  for (int i = 0; i < 2; ++i) {
    world.node.mine(1);
    world.catch_up();
  }
  EXPECT_FALSE(world.source.chain_status().bloom_trusted);
  world.node.mine(1);
  world.catch_up();
  EXPECT_EQ(world.all<LogsMissing>().size(), 3U);
  EXPECT_EQ(heads.results.size(), 4U);
}

TEST(ChainView, ANodeThatDoesNotAnswerIsAskedWithoutEnd) {
  LogsWorld world(1, {.chain = {.logs_attempts_max = 2}});
  world.node.mine(1);
  int down = 30;
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    return asks_for_logs(call) && down-- > 0 &&
           world.source.on_reply(call.id, std::unexpected(jsonrpc::CallFailure{.message = "502"}), world.now);
  };
  world.catch_up();
  EXPECT_EQ(short_form(world.logs.results), (Strings{"1:0+"}));
  EXPECT_TRUE(world.all<LogsMissing>().empty());
}

TEST(ChainView, TooManyBlocksWaitingAreToldWithoutLogsAndSaidSo) {
  LogsWorld world(1, {.chain = {.pending_blocks_max = 10, .head_wait = std::chrono::hours(1)}});
  RecordingSubscriber heads;
  world.subscribe(2, heads, R"(["newHeads"])");
  world.held = [](const jsonrpc::UpstreamCall& call) { return call.method == "eth_getLogs"; };
  world.node.mine(25);
  world.tick();
  EXPECT_EQ(world.all<LogsMissing>().size(), 15U);
  EXPECT_EQ(heads.results.size(), 15U);
}

TEST(ChainView, ASubscriptionMadeJustBeforeABlockGetsItsLogs) {
  ChainSourceWorld world;
  give_logs(world, 1);
  world.start();
  world.node.mine(2);
  world.tick();
  RecordingSubscriber logs;
  // Subscribed when the loop knew block 2; the interest arrives after 3 and 4 were announced.
  world.manager.activate(1, world.manager.subscribe(1, logs, R"(["logs",{}])").value());
  const Interest interest = world.manager.interest();
  ASSERT_TRUE(interest.logs_after);
  EXPECT_EQ(interest.logs_after->number, 2U);
  world.node.mine(2);
  world.tick();
  world.source.set_interest(0, interest, world.now);
  world.node.mine(1);
  world.settle();
  world.catch_up();
  EXPECT_EQ(short_form(logs.results), (Strings{"3:0+", "4:0+", "5:0+"}));
  world.node.reorg(2, 2);
  logs.results.clear();
  world.catch_up();
  EXPECT_EQ(short_form(logs.results), (Strings{"5:0-", "4:0-", "4:0+", "5:0+"}));
}

// By the time the interest arrives, the blocks after it belong to another branch.
TEST(ChainView, WhoSubscribedOnABranchThatIsGoneGetsTheLogsOfTheOneThatCame) {
  ChainSourceWorld world;
  give_logs(world, 1);
  world.start();
  world.node.mine(4);
  world.tick();
  RecordingSubscriber logs;
  world.manager.activate(1, world.manager.subscribe(1, logs, R"(["logs",{}])").value());
  const Interest interest = world.manager.interest();
  world.node.reorg(2, 2);
  world.catch_up();
  world.source.set_interest(0, interest, world.now);
  world.settle();
  EXPECT_EQ(short_form(logs.results), (Strings{"3:0+", "4:0+"}));
}

TEST(ChainView, LogsStopBeingAskedForWhenNobodyWantsThem) {
  LogsWorld world(1);
  world.node.mine(1);
  world.held = [](const jsonrpc::UpstreamCall& call) { return call.method == "eth_getLogs"; };
  world.tick();
  world.manager.drop(1);
  world.source.set_interest(0, world.manager.interest(), world.now);
  world.publish();
  EXPECT_EQ(world.all<BlockAdded>().size(), 1U);  // the blocks that waited for logs continue without them
  world.node.asked.clear();
  world.node.mine(1);
  world.catch_up();
  EXPECT_EQ(world.node.asked.count("eth_getLogs"), 0U);
  EXPECT_TRUE(world.logs.results.empty());
}

// --- logs that fail while heads go on ---------------------------------------------------------------

// One subscriber to heads beside the one to logs.
struct FaultyLogsWorld : LogsWorld {
  explicit FaultyLogsWorld(const ChainSourceOptions& options = {}) : LogsWorld(2, options) {
    subscribe(2, heads, R"(["newHeads"])");
  }
  // Mines a block; returns how long its head takes from the moment the source has seen it.
  Duration mine_and_time_head() {
    const std::size_t before = heads.results.size();
    node.mine(1);
    while (source.tip()->hash != node.head().hash) tick();
    const Instant seen = now;
    while (heads.results.size() == before) tick();
    return now - seen;
  }
  RecordingSubscriber heads;
};

bool asks_by_hash(const jsonrpc::UpstreamCall& call) {
  return call.method == "eth_getLogs" && call.params_json.contains("blockHash");
}

TEST(ChainView, ANodeThatRejectsBlockHashesHoldsNoHeadAndItsLogsAreToldAllTheSame) {
  FaultyLogsWorld world;
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    return asks_by_hash(call) && world.reject(call.id, -32602);
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world.mine_and_time_head(), Duration::zero());
  world.catch_up();
  EXPECT_EQ(short_form(world.logs.results), (Strings{"1:0+", "1:1+", "2:0+", "2:1+", "3:0+", "3:1+"}));
  EXPECT_TRUE(world.all<LogsMissing>().empty());
  // The strategy that worked last is tried first.
  world.node.asked.clear();
  world.node.mine(1);
  world.catch_up();
  EXPECT_EQ(world.node.asked["eth_getLogs"], 1U);
}

TEST(ChainView, LogsThatNoNodeListsAreTakenFromReceipts) {
  FaultyLogsWorld world;
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    return call.method == "eth_getLogs" && world.reject(call.id, -32601);
  };
  EXPECT_EQ(world.mine_and_time_head(), Duration::zero());
  world.catch_up();
  EXPECT_EQ(short_form(world.logs.results), (Strings{"1:0+", "1:1+"}));
}

TEST(ChainView, ABloomFilterOfAllOnesIsFoundOutByReceipts) {
  FaultyLogsWorld world;
  world.node.fill_block = [](SimulatedBlock& block) {
    block.bloom = "0x" + std::string(512, 'f');
    block.receipts = {receipt_of(block, simulated_topic(1), true)};
  };
  for (int i = 0; i < 4; ++i) EXPECT_EQ(world.mine_and_time_head(), Duration::zero());
  world.catch_up();
  EXPECT_TRUE(world.all<LogsMissing>().empty());
  EXPECT_FALSE(world.source.chain_status().bloom_trusted);
  world.node.asked.clear();
  world.node.mine(1);
  world.catch_up();
  EXPECT_EQ(world.node.asked["eth_getLogs"], 1U);
  EXPECT_EQ(world.node.asked.count("eth_getBlockReceipts"), 0U);
}

TEST(ChainView, ALogThatIsMarkedAsRemovedIsNotOfTheBlock) {
  FaultyLogsWorld world;
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    if (call.method != "eth_getLogs") return false;
    std::string logs = world.node.answer(call);
    const std::string other = R"({"address":")" + simulated_address(1) +
                              R"(","topics":[],"data":"0x","blockNumber":"0x1","transactionHash":"0x1",)"
                              R"("transactionIndex":"0x0","blockHash":"0x)" +
                              std::string(64, '7') + R"(","logIndex":"0x9","removed":true})";
    logs.insert(1, other + ",");
    return world.reply(call.id, logs);
  };
  EXPECT_EQ(world.mine_and_time_head(), Duration::zero());
  world.catch_up();
  EXPECT_EQ(short_form(world.logs.results), (Strings{"1:0+", "1:1+"}));
  EXPECT_EQ(world.source.chain_status().retries, 0U);
}

TEST(ChainView, LogsThatAreNotAnsweredHoldOneHeadForAMoment) {
  FaultyLogsWorld world;
  world.held = [](const jsonrpc::UpstreamCall& call) { return asks_for_logs(call); };
  EXPECT_EQ(world.mine_and_time_head(), Duration(std::chrono::milliseconds(200)));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(world.mine_and_time_head(), Duration::zero());
  EXPECT_TRUE(world.logs.results.empty());
  // Once the calls are answered, logs come in order, and heads wait for them again.
  world.held = nullptr;
  world.catch_up();
  EXPECT_EQ(short_form(world.logs.results).size(), 12U);
  EXPECT_EQ(short_form(world.logs.results).front(), "1:0+");
  EXPECT_EQ(short_form(world.logs.results).back(), "6:1+");
  for (int i = 0; i < 2; ++i) {
    world.node.mine(1);
    world.catch_up();
  }
  EXPECT_NE(world.all<BlockAdded>().back().logs, nullptr);
}

TEST(ChainView, LogsAreWaitedForAsLongAsTheLimitSaysAndNoLonger) {
  FaultyLogsWorld world;
  world.held = [](const jsonrpc::UpstreamCall& call) { return asks_for_logs(call); };
  world.mine_and_time_head();
  const Instant first = world.now;
  world.mine_and_time_head();
  const Instant next = world.now;
  while (world.all<LogsMissing>().empty()) world.tick();
  EXPECT_EQ(world.now - next, Duration(std::chrono::seconds(30)));
  EXPECT_GT(world.now - first, Duration(std::chrono::seconds(30)));
  EXPECT_EQ(world.all<LogsMissing>().front().header->number, 1U);
  EXPECT_EQ(world.missed_logs, std::vector<std::uint64_t>{1});
}

TEST(ChainView, WhoSubscribesWhileLogsAreLateBeginsAfterTheHeadAndMissesNothingBefore) {
  FaultyLogsWorld world;
  world.held = [](const jsonrpc::UpstreamCall& call) { return asks_for_logs(call); };
  for (int i = 0; i < 2; ++i) world.mine_and_time_head();
  RecordingSubscriber later;
  world.subscribe(3, later, R"(["logs",{}])");
  // Nothing that is missed now concerns the later one.
  world.manager.publish(Reorg{.beyond_window = true});
  const auto aftermath = world.manager.take_aftermath();
  ASSERT_EQ(aftermath.closing.size(), 1U);
  EXPECT_EQ(aftermath.closing[0].connections, std::vector<ConnectionKey>{1});
  world.mine_and_time_head();
  world.held = nullptr;
  world.catch_up();
  EXPECT_EQ(short_form(world.logs.results), (Strings{"1:0+", "1:1+", "2:0+", "2:1+", "3:0+", "3:1+"}));
  EXPECT_EQ(short_form(later.results), (Strings{"3:0+", "3:1+"}));
}

TEST(ChainView, ABlockThatGoesBeforeItsLogsCameIsNotTakenBack) {
  FaultyLogsWorld world;
  world.mine_and_time_head();
  world.held = [](const jsonrpc::UpstreamCall& call) { return asks_for_logs(call); };
  for (int i = 0; i < 2; ++i) world.mine_and_time_head();
  world.node.reorg(2, 3);
  world.held = nullptr;
  world.catch_up();
  EXPECT_EQ(short_form(world.logs.results),
            (Strings{"1:0+", "1:1+", "2:0+", "2:1+", "3:0+", "3:1+", "4:0+", "4:1+"}));
}

}  // namespace
}  // namespace fanfare::eth
