// Heads, and readers that are too slow for them.

#include "eth/feeds/new_heads.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "eth/subscription_manager_world.h"

namespace fanfare::eth {
namespace {

using worlds::Client;
using worlds::Loop;

Header new_head_of(std::uint64_t number) {
  return {.number = number,
          .hash = {},
          .parent_hash = {},
          .json = R"({"number":")" + to_quantity(number) + "\"}"};
}

TEST(NewHeads, ASlowReaderOfTheLatestHeadIsToldWhichItMissed) {
  Loop loop;
  Client client;
  Client other;
  const std::string id = loop.subscribe(1, client, R"(["newHeads",{"slow":"latest"}])");
  EXPECT_EQ(loop.subscribe(2, other), id);  // shares the frames
  loop.publish_head(new_head_of(1));
  client.congested = true;
  for (std::uint64_t number = 2; number <= 6; ++number) loop.publish_head(new_head_of(number));
  EXPECT_EQ(client.got.size(), 1U);
  EXPECT_EQ(other.got.size(), 6U);
  EXPECT_TRUE(loop.manager.drained(1).empty());
  EXPECT_EQ(client.got.size(), 1U);  // still congested
  client.congested = false;
  loop.manager.drained(1);
  ASSERT_EQ(client.got.size(), 3U);
  EXPECT_EQ(client.got[1],
            R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":")" + id +
                R"(","notice":{"type":"missed","fromBlock":"0x2","toBlock":"0x5","reason":"slow"}}})");
  EXPECT_EQ(client.got[2], other.got[5]);
  EXPECT_EQ(loop.manager.counters().heads_dropped, 4U);
  // From here on everything is as usual.
  loop.publish_head(new_head_of(7));
  loop.manager.drained(1);
  EXPECT_EQ(client.got.size(), 4U);
}

TEST(NewHeads, AHeadKeptForASlowReaderIsLateAndNotMissed) {
  Loop loop;
  Client client;
  loop.subscribe(1, client, R"(["newHeads",{"slow":"latest"}])");
  client.congested = true;
  loop.publish_head(new_head_of(1));
  client.congested = false;
  loop.manager.drained(1);
  ASSERT_EQ(client.got.size(), 1U);
  EXPECT_NE(client.got[0].find(R"("result":{"number":"0x1"})"), std::string::npos);
  EXPECT_EQ(loop.manager.counters().heads_dropped, 0U);
}

TEST(NewHeads, AReaderThatLeavesWithAKeptHeadLeavesNothingToThoseWhoComeAfterIt) {
  Loop loop;
  const std::string params = R"(["newHeads",{"slow":"latest"}])";
  Client leaves;
  Client stays;
  leaves.congested = stays.congested = true;
  loop.subscribe(1, leaves, params);
  loop.publish_head(new_head_of(1));
  loop.subscribe(2, stays, params);
  loop.publish_head(new_head_of(2));
  loop.manager.drop(1);
  loop.publish_head(new_head_of(3));
  stays.congested = false;
  loop.manager.drained(2);
  ASSERT_EQ(stays.got.size(), 2U);
  EXPECT_TRUE(stays.got[0].contains(R"("fromBlock":"0x2","toBlock":"0x2","reason":"slow")"));
  EXPECT_TRUE(stays.got[1].contains(R"("number":"0x3")"));
  stays.congested = true;
  loop.publish_head(new_head_of(4));
  loop.manager.drop(2);  // the last one, and with it the group
  Client comes;
  loop.subscribe(3, comes, params);
  loop.publish_head(new_head_of(5));
  loop.manager.drained(3);
  EXPECT_EQ(comes.got.size(), 1U);
  EXPECT_TRUE(leaves.got.empty());
}

HeaderPtr numbered_block(std::uint64_t number, std::uint8_t branch, std::uint8_t parent_branch) {
  Header header = new_head_of(number);
  header.hash.bytes[0] = branch;
  header.hash.bytes[31] = static_cast<std::uint8_t>(number);
  header.parent_hash.bytes[0] = parent_branch;
  header.parent_hash.bytes[31] = static_cast<std::uint8_t>(number - 1);
  return std::make_shared<const Header>(header);
}

TEST(NewHeads, AHeadThatWasRemovedAndReturnsIsNotSentAgain) {
  Loop loop;
  Client client;
  loop.publish(Baseline{numbered_block(1, 1, 1)});
  loop.subscribe(1, client);
  EXPECT_EQ(loop.publish(BlockAdded{.header = numbered_block(2, 1, 1), .logs = nullptr}), 1U);
  EXPECT_EQ(loop.publish(BlockAdded{.header = numbered_block(3, 1, 1), .logs = nullptr}), 1U);
  loop.publish(BlockRemoved{.header = numbered_block(3, 1, 1), .logs = nullptr});
  loop.publish(BlockRemoved{.header = numbered_block(2, 1, 1), .logs = nullptr});
  EXPECT_EQ(loop.publish(BlockAdded{.header = numbered_block(2, 1, 1), .logs = nullptr}), 0U);
  EXPECT_EQ(loop.publish(BlockAdded{.header = numbered_block(3, 2, 1), .logs = nullptr}), 1U);  // another one
  loop.publish(BlockRemoved{.header = numbered_block(3, 2, 1), .logs = nullptr});
  EXPECT_EQ(loop.publish(BlockAdded{.header = numbered_block(3, 1, 1), .logs = nullptr}),
            1U);  // it was replaced
}

TEST(NewHeads, WhatDoesNotFollowIsReplayedToCursorsAndAGapEndsTheOthers) {
  Loop loop;
  Client with;
  Client without;
  loop.publish(Baseline{numbered_block(1, 1, 1)});
  const std::string id = loop.subscribe(1, with, R"(["newHeads",{"cursor":true}])");
  loop.subscribe(2, without);
  loop.publish(Gap{.first = 2, .last = 4});
  auto aftermath = loop.manager.take_aftermath();
  ASSERT_EQ(aftermath.closing.size(), 1U);
  EXPECT_EQ(aftermath.closing[0].connections, std::vector<ConnectionKey>{2});
  EXPECT_EQ(aftermath.closing[0].why, "blocks 2 to 4 were missed");
  loop.publish(BlockAdded{.header = numbered_block(5, 1, 1), .logs = nullptr});
  aftermath = loop.manager.take_aftermath();
  ASSERT_EQ(aftermath.missing.size(), 1U);
  EXPECT_EQ(aftermath.missing[0].id, id);
  EXPECT_EQ(aftermath.missing[0].from.number, 1U);
}

}  // namespace
}  // namespace fanfare::eth
