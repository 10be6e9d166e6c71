// The logs of blocks on their way to filters.

#include "eth/feeds/logs.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "eth/subscription_manager_world.h"

namespace fanfare::eth {
namespace {

using worlds::Client;
using worlds::kBlock;
using worlds::Loop;

BlockLogs one_log(const std::string& address_digit) {
  const std::string block = "0x" + std::string(64, 'c');
  return parse_block_logs(R"([{"address":"0x)" + std::string(39, '0') + address_digit +
                              R"(","topics":[],"data":"0x","blockNumber":"0x5","transactionHash":"0x1",)" +
                              R"("transactionIndex":"0x0","blockHash":")" + block + R"(","logIndex":"0x0"}])",
                          parse_hash(block).value())
      .value();
}

std::string logs_of(const std::string& address_digit) {
  return R"(["logs",{"address":"0x)" + std::string(39, '0') + address_digit + R"("}])";
}

std::string addresses(std::size_t count, std::size_t first = 0) {
  std::string json = R"(["logs",{"address":[)";
  for (std::size_t i = 0; i < count; ++i) {
    std::string digits = std::to_string(first + i);
    json += (i > 0 ? ",\"0x" : "\"0x") + std::string(40 - digits.size(), '0') + digits + '"';
  }
  return json + "]}]";
}

TEST(LogsFeed, LogsGoToTheFiltersTheyMatchAndEqualFiltersAreOneTopic) {
  Loop loop;
  Client a;
  Client same_as_a;
  Client b;
  Client all;
  const std::string id = loop.subscribe(1, a, logs_of("a"));
  EXPECT_EQ(loop.subscribe(2, same_as_a,
                           R"(["logs",{"topics":[],"address":["0x)" + std::string(39, '0') + R"(A"]}])"),
            id);
  loop.subscribe(3, b, logs_of("b"));
  loop.subscribe(4, all, R"(["logs"])");
  EXPECT_EQ(loop.manager.topics(), 3U);
  EXPECT_EQ(loop.manager.subscriptions(SubscriptionType::logs), 4U);
  EXPECT_EQ(loop.publish_logs(kBlock, one_log("a"), false), 3U);
  EXPECT_EQ(loop.manager.counters().encoded, 2U);
  EXPECT_EQ(a.addresses, same_as_a.addresses);
  EXPECT_TRUE(b.got.empty());
  ASSERT_EQ(all.got.size(), 1U);
  EXPECT_TRUE(all.got[0].ends_with(R"("logIndex":"0x0","removed":false}}})"));
  EXPECT_EQ(loop.publish_logs(kBlock, one_log("b"), true), 2U);
  EXPECT_TRUE(b.got.at(0).ends_with(R"("removed":true}}})"));
  for (ConnectionKey key = 1; key < 5; ++key) loop.manager.drop(key);
  EXPECT_EQ(loop.publish_logs(kBlock, one_log("a"), false), 0U);
}

TEST(LogsFeed, AFilterThatTakesThePlaceOfADroppedOneDuringDeliveryGetsNothingOfIt) {
  Loop loop;
  Client first;
  Client leaves;
  Client comes;
  loop.subscribe(1, first, logs_of("a"));
  loop.subscribe(2, leaves, R"(["logs",{}])");
  const auto swap = [&] {
    loop.manager.drop(1);
    loop.manager.drop(2);
    loop.subscribe(3, comes, logs_of("b"));
    loop.subscribe(3, comes, logs_of("c"));
  };
  first.then = swap;
  leaves.then = swap;
  EXPECT_EQ(loop.publish_logs(kBlock, one_log("a"), false), 1U);
  EXPECT_TRUE(comes.got.empty());
}

TEST(LogsFeed, ABlocksLogsGoOutInStepsAsTheyWouldAtOnce) {
  const HeaderPtr header = std::make_shared<const Header>(Header{.number = 5});
  BlockLogs all;
  for (int i = 0; i < 30; ++i) {
    BlockLogs::Entry entry{.key = {.block_number = 5}, .head_json = "{\"i\":" + std::to_string(i)};
    entry.key.address.bytes[19] = static_cast<std::uint8_t>(i % 3);
    all.entries.push_back(std::move(entry));
  }
  const BlockLogsPtr logs = std::make_shared<const BlockLogs>(std::move(all));
  for (const bool removed : {false, true}) {
    std::vector<std::string> told[2];
    for (const bool in_steps : {false, true}) {
      Loop loop;
      std::vector<Client> clients(20);
      for (std::size_t i = 0; i < clients.size(); ++i) {
        loop.subscribe(i, clients[i], i % 2 == 0 ? R"(["logs",{}])" : addresses(1 + i % 3));
      }
      SourceEvent event = BlockAdded{.header = header, .logs = logs};
      if (removed) event = BlockRemoved{.header = header, .logs = logs};
      if (in_steps) {
        loop.manager.begin(event);
        int steps = 1;
        while (!loop.manager.step(1)) ++steps;
        EXPECT_GE(steps, 30);
      } else {
        loop.publish(event);
      }
      std::size_t taken = 0;
      for (const Client& client : clients) {
        told[in_steps ? 1 : 0].insert(told[in_steps ? 1 : 0].end(), client.got.begin(), client.got.end());
        taken += client.got.size();
      }
      EXPECT_EQ(loop.results(), taken);
    }
    EXPECT_EQ(told[0], told[1]);
    EXPECT_FALSE(told[0].empty());
  }
}

}  // namespace
}  // namespace fanfare::eth
