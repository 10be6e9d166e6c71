// Live receipts: a block's receipts are sent once each time it becomes part of the chain, for every live
// subscriber. resume_history_test.cc and tests/sim cover the same at random.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "eth/chain_source_world.h"

namespace fanfare::eth {
namespace {

constexpr std::string_view kAllReceipts = R"(["transactionReceipts",null)";
using Texts = std::vector<std::string>;

struct ReceiptsWorld : ChainSourceWorld {
  ReceiptsWorld() {
    // One receipt per block, of a transaction that encodes the block's number.
    node.fill_block = [](SimulatedBlock& block) {
      block.receipts = {R"({"transactionHash":")" + simulated_topic(block.number) + R"(","blockHash":")" +
                        to_hex(block.hash) + "\"}"};
    };
    start();
  }
  void join(ConnectionKey key, RecordingSubscriber& subscriber) {
    const std::string option = subscriber.cursor.empty() ? "true" : '"' + subscriber.cursor + '"';
    subscribe(key, subscriber, std::string(kAllReceipts) + R"(,{"cursor":)" + option + "}]");
    settle();
  }
  void mine(std::uint64_t blocks) {
    node.mine(blocks);
    follow();
  }
  void follow() {
    catch_up();
    for (int i = 0; i < 100 && source.history_status().receipts_late > 0; ++i) tick();
    EXPECT_EQ(source.history_status().receipts_late, 0U);
  }
};

// The numbers of the blocks whose receipts were sent.
std::string blocks_told(const std::vector<std::string>& results) {
  std::string numbers;
  for (const std::string& result : results) {
    const auto receipt = jsonrpc::element(result, 0).value_or("");
    const auto hash = jsonrpc::string_copy(jsonrpc::member(receipt, "transactionHash").value_or("")).value();
    numbers += hash.back();
  }
  return numbers;
}

TEST(HistoryReceipts, WhoComesBackWhileABranchIsGoneIsToldWhatTakesItsPlace) {
  ReceiptsWorld world;
  RecordingSubscriber client;
  world.join(1, client);
  world.mine(4);
  world.drop(1);
  RecordingSubscriber logs;
  world.subscribe(2, logs, R"(["logs",{}])");
  world.settle();
  // The old blocks are removed, and the new ones wait for their logs.
  world.held = [](const jsonrpc::UpstreamCall& call) { return call.method == "eth_getLogs"; };
  world.node.reorg(2, 3);
  for (int i = 0; i < 5 && world.all<BlockRemoved>().empty(); ++i) world.tick();
  ASSERT_EQ(world.all<BlockRemoved>().size(), 2U);
  world.join(1, client);
  world.held = nullptr;
  world.follow();
  EXPECT_EQ(blocks_told(client.results), "1234345");
}

TEST(HistoryReceipts, ABlockThatWasGoneAndIsBackIsToldAgain) {
  ReceiptsWorld world;
  RecordingSubscriber client;
  world.join(1, client);
  world.mine(3);
  const std::vector<SimulatedBlock> first_branch = world.node.chain();
  world.node.reorg(1, 2);
  world.follow();
  world.node.return_to(first_branch);
  world.mine(2);
  EXPECT_EQ(blocks_told(client.results), "12334345");
  EXPECT_EQ(client.results[2], client.results[5]);
  // Known receipts are not requested again: 1 2 3, 3' 4', 4 5.
  EXPECT_EQ(world.node.asked["eth_getBlockReceipts"], 7U);
}

// No loop needed receipts when the block was announced for the first time.
TEST(HistoryReceipts, ABlockThatIsBackIsToldToWhoSubscribedInBetween) {
  ReceiptsWorld world;
  world.mine(3);
  const std::vector<SimulatedBlock> first_branch = world.node.chain();
  world.node.reorg(1, 2);
  world.follow();
  RecordingSubscriber client;
  world.join(1, client);
  world.node.return_to(first_branch);
  world.mine(2);
  EXPECT_EQ(blocks_told(client.results), "345");
}

// A loop with a slow mailbox: the branch it had published was removed by the time its interest arrived.
TEST(HistoryReceipts, ALoopThatStoodOnAnotherBranchIsToldFromTheForkOn) {
  ReceiptsWorld world;
  world.mine(5);
  const BlockId seen{.number = 5, .hash = world.node.head().hash};
  world.node.reorg(3, 4);
  world.follow();
  world.source.set_interest(1, {.receipts = true, .receipts_after = seen}, world.now);
  world.settle();
  std::string numbers;
  for (const ReceiptsKnown& known : world.all<ReceiptsKnown>()) {
    numbers += std::to_string(known.header->number);
    EXPECT_EQ(known.header->hash, world.node.at(known.header->number).hash);
  }
  EXPECT_EQ(numbers, "3456");
  // It is sent once: repeating the same interest starts nothing.
  world.source.set_interest(1, {.logs = true, .receipts = true, .receipts_after = seen}, world.now);
  world.settle();
  EXPECT_EQ(world.all<ReceiptsKnown>().size(), 4U);
}

TEST(HistoryReceipts, WhatAnotherLoopAskedForIsNotToldTwiceHere) {
  ReceiptsWorld world;
  RecordingSubscriber client;
  world.join(1, client);
  world.mine(4);
  const SimulatedBlock& second = world.node.at(2);
  world.source.set_interest(
      1, {.receipts = true, .receipts_after = BlockId{.number = second.number, .hash = second.hash}},
      world.now);
  world.settle();
  EXPECT_EQ(world.all<ReceiptsKnown>().size(), 6U);
  world.mine(1);
  EXPECT_EQ(blocks_told(client.results), "12345");
}

TEST(HistoryReceipts, ALoopNoticesWhatItWasNotTold) {
  ReceiptsWorld world;
  RecordingSubscriber client;
  RecordingSubscriber without;
  world.join(1, client);
  world.subscribe(2, without, R"(["transactionReceipts"])");
  world.settle();
  world.mine(2);
  const auto receipts_of = [](std::uint64_t number) {
    return ReceiptsKnown{.header = std::make_shared<const Header>(Header{.number = number}),
                         .receipts = std::make_shared<const BlockReceipts>()};
  };
  world.manager.publish(receipts_of(3));
  EXPECT_TRUE(world.manager.take_aftermath().closing.empty());
  world.manager.publish(receipts_of(7));
  const auto aftermath = world.manager.take_aftermath();
  ASSERT_EQ(aftermath.closing.size(), 1U);
  EXPECT_EQ(aftermath.closing[0].connections, std::vector<ConnectionKey>{2});
  EXPECT_EQ(aftermath.closing[0].why, "the receipts of block 4 to 6 were missed");
  EXPECT_EQ(client.notices.back(),
            R"({"type":"missed","fromBlock":"0x4","toBlock":"0x6","reason":"unavailable"})");
}

}  // namespace
}  // namespace fanfare::eth
