// What a resuming subscriber is sent, case by case; resume_history_test.cc covers the same at random.

#include "eth/history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "eth/chain_source_world.h"

namespace fanfare::eth {
namespace {

constexpr std::string_view kAllLogs = R"(["logs",{})";

struct HistoryWorld : ChainSourceWorld {
  // `chain`: the node whose chain is copied at the start. New blocks are made from the seed.
  explicit HistoryWorld(const ChainSourceOptions& options = {}, std::uint64_t seed = 5,
                        const SimulatedNode* chain = nullptr)
      : ChainSourceWorld(options, seed) {
    if (chain != nullptr) node.copy_chain(*chain);
    // One log per block, so that notifications are easy to count.
    node.fill_block = [](SimulatedBlock& block) {
      block.logs = {R"({"address":")" + simulated_address(1) +
                    R"(","topics":[],"data":"0x","blockNumber":")" + to_quantity(block.number) +
                    R"(","transactionHash":"0x1","transactionIndex":"0x0","blockHash":")" +
                    to_hex(block.hash) + R"(","logIndex":"0x0"})"};
      block.bloom = "0x" + std::string(512, 'f');
    };
    start();
  }

  void resume(ConnectionKey key, RecordingSubscriber& subscriber, std::string_view params = kAllLogs) {
    const std::string option = subscriber.cursor.empty() ? "true" : '"' + subscriber.cursor + '"';
    subscribe(key, subscriber, std::string(params) + R"(,{"cursor":)" + option + "}]");
    settle();
  }
  void mine(std::uint64_t blocks) {
    node.mine(blocks);
    catch_up();
  }
  void until_live() {
    for (int i = 0; i < 200 && !resuming.empty(); ++i) tick();
    EXPECT_TRUE(resuming.empty());
  }
};

// "0x5" of an added log, "-0x5" of a removed one.
std::vector<std::string> blocks_of(const std::vector<std::string>& results) {
  std::vector<std::string> blocks;
  for (const std::string& result : results) {
    const auto raw =
        jsonrpc::member(result, "blockNumber").value_or(jsonrpc::member(result, "number").value_or(""));
    const bool removed = result.ends_with("\"removed\":true}");
    blocks.push_back((removed ? "-" : "") + jsonrpc::string_copy(raw).value());
  }
  return blocks;
}

using Texts = std::vector<std::string>;

TEST(History, TellsWhatWasMissedAndThenThatItIsLive) {
  HistoryWorld world;
  world.mine(3);
  RecordingSubscriber client;
  world.resume(1, client);
  EXPECT_EQ(client.notices, Texts{R"({"type":"live","block":"0x3"})"});
  world.mine(2);
  world.drop(1);
  world.mine(3);
  world.resume(1, client);
  world.mine(1);
  EXPECT_EQ(blocks_of(client.results), (Texts{"0x4", "0x5", "0x6", "0x7", "0x8", "0x9"}));
  EXPECT_EQ(client.notices.back(), R"({"type":"live","block":"0x8"})");
}

TEST(History, WhatWasTakenBackMeanwhileComesFirstAndNewestFirst) {
  HistoryWorld world;
  RecordingSubscriber logs;
  RecordingSubscriber heads;
  world.resume(1, logs);
  world.resume(2, heads, R"(["newHeads")");
  world.mine(4);
  world.drop(1);
  world.drop(2);
  world.node.reorg(2, 3);
  world.catch_up();
  world.resume(1, logs);
  world.resume(2, heads, R"(["newHeads")");
  EXPECT_EQ(blocks_of(logs.results),
            (Texts{"0x1", "0x2", "0x3", "0x4", "-0x4", "-0x3", "0x3", "0x4", "0x5"}));
  EXPECT_EQ(blocks_of(heads.results), (Texts{"0x1", "0x2", "0x3", "0x4", "0x3", "0x4", "0x5"}));
}

TEST(History, ABranchThatNobodyKnowsAnyMoreIsToldAsSuch) {
  HistoryWorld world;
  RecordingSubscriber client;
  world.resume(1, client);
  world.mine(4);
  world.node.reorg(2, 3);
  world.node.forget_branches();
  HistoryWorld other({}, 6, &world.node);  // an instance that did not see the branch
  other.resume(1, client);
  other.until_live();
  EXPECT_EQ(client.notices[1], R"({"type":"reorged","fromBlock":"0x3","toBlock":"0x4"})");
  EXPECT_EQ(blocks_of(client.results), (Texts{"0x1", "0x2", "0x3", "0x4", "0x3", "0x4", "0x5"}));
}

TEST(History, APositionOnAnotherChainIsAnExplicitMiss) {
  HistoryWorld world;
  RecordingSubscriber client;
  world.mine(20);
  client.cursor = to_cursor({.number = 18, .hash = {}, .logs_told = 1, .ancestors = {{}, {}}});
  world.resume(1, client);
  world.until_live();
  EXPECT_EQ(client.notices.front(),
            R"({"type":"missed","fromBlock":"0x0","toBlock":"0x14","reason":"unknownBlock"})");
  world.mine(1);
  EXPECT_EQ(blocks_of(client.results), Texts{"0x15"});
}

TEST(History, BeyondTheWindowIsAnExplicitMissAndThenLive) {
  ChainSourceOptions options;
  options.history.window_blocks = 8;
  HistoryWorld world(options);
  RecordingSubscriber at_the_limit;
  RecordingSubscriber past_it;
  world.resume(1, past_it);
  world.mine(1);
  world.resume(2, at_the_limit);
  world.drop(1);
  past_it.cursor = to_cursor(Trail(*parse_cursor(past_it.cursor)).position(1));
  world.mine(1);
  world.drop(2);
  world.mine(8);  // head 10: block 2 is 8 behind, block 1 is 9
  world.resume(1, past_it);
  world.resume(2, at_the_limit);
  world.until_live();
  EXPECT_EQ(past_it.notices[1], R"({"type":"missed","fromBlock":"0x1","toBlock":"0xa","reason":"window"})");
  EXPECT_EQ(at_the_limit.notices.size(), 2U);
  EXPECT_EQ(at_the_limit.results.size(), 9U);
  world.mine(1);
  EXPECT_EQ(blocks_of(past_it.results), (Texts{"0x1", "0xb"}));
}

// Which blocks a reader misses that cannot be replayed. While it was away, `replaced` of its blocks were replaced.
std::string missed_after(std::uint64_t replaced, std::uint32_t window, bool is_seen) {
  ChainSourceOptions options;
  options.chain.window_blocks = 64;
  options.history.window_blocks = window;
  HistoryWorld world(options);
  RecordingSubscriber client;
  world.resume(1, client);
  world.mine(40);
  world.drop(1);
  world.node.reorg(replaced, replaced + 1);
  world.node.forget_branches();
  world.catch_up();
  HistoryWorld other(options, 6, &world.node);
  HistoryWorld& asked = is_seen ? world : other;
  asked.resume(1, client);
  asked.until_live();
  return client.notices.at(1);
}

std::string missed_from(std::uint64_t first, std::string_view reason) {
  return R"({"type":"missed","fromBlock":")" + to_quantity(first) + R"(","toBlock":"0x29","reason":")" +
         std::string(reason) + "\"}";
}

TEST(History, AMissBeginsWhereTheBranchesDiffer) {
  EXPECT_EQ(missed_after(30, 16, true), missed_from(11, "window"));
  EXPECT_EQ(missed_after(20, 16, true), missed_from(21, "window"));
  // Below what a cursor names, and nobody has the branch.
  EXPECT_EQ(missed_after(13, 64, false), missed_from(0, "unknownBlock"));
  EXPECT_EQ(missed_after(12, 64, false), R"({"type":"reorged","fromBlock":"0x1d","toBlock":"0x28"})");
}

TEST(History, BeyondTheWindowTheMissBeginsAtAnAncestorIfTheBlockIsReplaced) {
  ChainSourceOptions options;
  options.history.window_blocks = 8;
  for (const std::uint64_t replaced : {0U, 3U, 12U, 13U}) {
    HistoryWorld world(options);
    RecordingSubscriber client;
    world.resume(1, client);
    world.mine(20);
    world.drop(1);
    world.node.reorg(replaced, replaced);
    world.node.mine(30);
    world.node.forget_branches();
    HistoryWorld other(options, 6, &world.node);
    const std::uint64_t calls = other.source.history_status().calls;
    other.resume(1, client);
    other.until_live();
    const std::uint64_t first = replaced == 0 ? 20 : replaced <= 12 ? 9 : 0;
    EXPECT_EQ(client.notices.at(1), R"({"type":"missed","fromBlock":")" + to_quantity(first) +
                                        R"(","toBlock":"0x32","reason":")" +
                                        (first == 0 ? "unknownBlock" : "window") + "\"}")
        << replaced << " replaced";
    EXPECT_LE(other.source.history_status().calls - calls, 6U);
  }
}

TEST(History, AnInstanceThatIsBehindTellsNothingTwice) {
  HistoryWorld world;
  RecordingSubscriber client;
  world.resume(1, client);
  world.mine(5);
  SimulatedNode lagging(world.random);
  lagging.copy_chain(world.node);
  lagging.revert(2);
  HistoryWorld behind({}, 6, &lagging);
  behind.resume(1, client);
  EXPECT_FALSE(behind.resuming.empty());
  behind.node.copy_chain(world.node);
  behind.node.mine(1);
  behind.catch_up();
  behind.until_live();
  EXPECT_EQ(blocks_of(client.results), (Texts{"0x1", "0x2", "0x3", "0x4", "0x5", "0x6"}));
}

TEST(History, AChainThatStaysShorterIsBelievedAfterAWhile) {
  HistoryWorld world;
  RecordingSubscriber client;
  world.resume(1, client);
  world.mine(5);
  SimulatedNode reverted(world.random);
  reverted.copy_chain(world.node);
  reverted.revert(2);
  HistoryWorld shorter({}, 6, &reverted);
  shorter.resume(1, client);
  shorter.until_live();
  EXPECT_EQ(blocks_of(client.results), (Texts{"0x1", "0x2", "0x3", "0x4", "0x5", "-0x5", "-0x4"}));
}

TEST(History, LogsThatCannotBeHadAreNamed) {
  ChainSourceOptions options;
  options.history.attempts_max = 2;
  HistoryWorld world(options);
  RecordingSubscriber client;
  world.resume(1, client);
  world.mine(1);
  world.drop(1);
  world.mine(3);
  world.node.at(3).bloom = "0x" + std::string(512, 'f');
  const std::string hash = to_hex(world.node.at(3).hash);
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    const bool asks_for_logs = call.method == "eth_getLogs" || call.method == "eth_getBlockReceipts";
    const bool is_it =
        asks_for_logs && (call.params_json.contains(hash) || call.params_json.contains("\"0x3\""));
    if (is_it) world.reply(call.id, "[]");
    return is_it;
  };
  world.resume(1, client);
  world.until_live();
  EXPECT_EQ(client.notices[1],
            R"({"type":"missed","fromBlock":"0x3","toBlock":"0x3","reason":"unavailable"})");
  EXPECT_EQ(blocks_of(client.results), (Texts{"0x1", "0x2", "0x4"}));
}

TEST(History, ManyWhoComeBackCostTheNodeNoMoreThanOne) {
  HistoryWorld world;
  world.mine(1);
  RecordingSubscriber first;
  world.resume(0, first);
  world.drop(0);
  world.mine(50);
  HistoryWorld restarted({}, 6, &world.node);
  std::vector<RecordingSubscriber> clients(200, first);
  for (ConnectionKey key = 0; key < clients.size(); ++key) {
    restarted.subscribe(key, clients[key], std::string(kAllLogs) + R"(,{"cursor":")" + first.cursor + "\"}]");
  }
  restarted.until_live();
  for (const RecordingSubscriber& client : clients) ASSERT_EQ(client.results.size(), 50U);
  // Each block and its logs once. Data fetched at the start must not be requested again.
  EXPECT_LE(restarted.source.history_status().calls, 100U);
}

// Another instance sent it, and this one never had to request its logs.
TEST(History, WhatAnotherInstanceToldIsTakenBackWhenItsBlockGoesLater) {
  HistoryWorld world;
  RecordingSubscriber client;
  world.resume(1, client);
  world.mine(3);
  HistoryWorld other({}, 6, &world.node);
  other.resume(1, client);
  EXPECT_EQ(client.notices.back(), R"({"type":"live","block":"0x3"})");
  other.node.reorg(1, 2);
  other.catch_up();
  other.until_live();
  EXPECT_EQ(blocks_of(client.results), (Texts{"0x1", "0x2", "0x3", "-0x3", "0x3", "0x4"}));
}

// The branch in between waited for its logs, and was never announced.
TEST(History, AHeadThatIsBackBeforeAnyOtherWasToldIsNotToldAgain) {
  HistoryWorld world({.chain = {.head_wait = std::chrono::hours(1)}});
  RecordingSubscriber heads;
  RecordingSubscriber logs;
  world.resume(1, heads, R"(["newHeads")");
  world.resume(2, logs);
  world.mine(3);
  const std::vector<SimulatedBlock> first_branch = world.node.chain();
  world.held = [](const jsonrpc::UpstreamCall& call) { return call.method == "eth_getLogs"; };
  world.node.reorg(2, 2);
  for (int i = 0; i < 5 && world.all<BlockRemoved>().empty(); ++i) world.tick();
  ASSERT_EQ(world.all<BlockRemoved>().size(), 2U);
  world.held = nullptr;
  world.node.return_to(first_branch);
  world.mine(1);
  EXPECT_EQ(blocks_of(heads.results), (Texts{"0x1", "0x2", "0x3", "0x4"}));
  EXPECT_EQ(blocks_of(logs.results), (Texts{"0x1", "0x2", "0x3", "-0x3", "-0x2", "0x2", "0x3", "0x4"}));
}

TEST(History, AHeadThatIsBackAfterAnotherTookItsPlaceIsToldAgain) {
  HistoryWorld world;
  RecordingSubscriber heads;
  world.resume(1, heads, R"(["newHeads")");
  world.mine(3);
  const std::vector<SimulatedBlock> first_branch = world.node.chain();
  world.node.reorg(1, 2);
  world.catch_up();
  world.node.return_to(first_branch);
  world.mine(2);
  EXPECT_EQ(blocks_of(heads.results), (Texts{"0x1", "0x2", "0x3", "0x3", "0x4", "0x3", "0x4", "0x5"}));
}

TEST(History, WhoSubscribesWhileAHeadIsGoneIsToldWhenItIsBack) {
  HistoryWorld world({.chain = {.head_wait = std::chrono::hours(1)}});
  RecordingSubscriber logs;
  world.resume(2, logs);
  world.mine(3);
  const std::vector<SimulatedBlock> first_branch = world.node.chain();
  world.held = [](const jsonrpc::UpstreamCall& call) { return call.method == "eth_getLogs"; };
  world.node.reorg(2, 2);
  for (int i = 0; i < 5 && world.all<BlockRemoved>().empty(); ++i) world.tick();
  RecordingSubscriber heads;
  world.resume(1, heads, R"(["newHeads")");
  world.held = nullptr;
  world.node.return_to(first_branch);
  world.mine(1);
  EXPECT_EQ(blocks_of(heads.results), (Texts{"0x2", "0x3", "0x4"}));
}

TEST(History, AFilterThatNeverMatchesKeepsItsCursorYoung) {
  HistoryWorld world;
  RecordingSubscriber client;
  world.resume(1, client, R"(["logs",{"address":")" + simulated_address(9) + "\"}");
  world.mine(200);
  EXPECT_EQ(client.notices,
            (Texts{R"({"type":"live","block":"0x0"})", R"({"type":"live","block":"0x40"})",
                   R"({"type":"live","block":"0x80"})", R"({"type":"live","block":"0xc0"})"}));
  EXPECT_EQ(parse_cursor(client.cursor)->number, 192U);
}

TEST(History, ASlowReaderIsSentABatchOnlyAsFarAsItReads) {
  HistoryWorld world;
  RecordingSubscriber client;
  world.resume(1, client);
  world.drop(1);
  world.mine(100);
  client.congested = true;
  world.resume(1, client);
  EXPECT_TRUE(client.results.empty());
  world.mine(1);
  client.congested = false;
  world.drained(1);
  world.settle();
  world.until_live();
  EXPECT_EQ(client.results.size(), 101U);
}

}  // namespace
}  // namespace fanfare::eth
