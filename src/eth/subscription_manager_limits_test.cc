// State sent on activation, budgets of filters, and a block's logs in steps.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "eth/subscription_manager_world.h"

namespace fanfare::eth {
namespace {

using worlds::Client;
using worlds::Loop;

TEST(SubscriptionManager, ASubscriberOfSyncingIsToldThePresentState) {
  Loop loop;
  Client first;
  Client second;
  loop.subscribe(1, first, R"(["syncing"])");
  EXPECT_TRUE(first.got.empty());  // the state is not known yet
  EXPECT_EQ(loop.publish_syncing("false"), 1U);
  EXPECT_EQ(loop.publish_syncing("false"), 0U);  // requested by another loop
  loop.subscribe(2, second, R"(["syncing"])");
  ASSERT_EQ(second.got.size(), 1U);
  EXPECT_TRUE(second.got.at(0).ends_with(R"("result":false}})"));
  EXPECT_EQ(first.got.size(), 1U);
  EXPECT_EQ(loop.publish_syncing(R"({"syncing":true,"status":{}})"), 2U);
  loop.manager.drop(1);
  loop.manager.drop(2);
  // A state from before the last subscriber left may be stale.
  Client third;
  loop.subscribe(3, third, R"(["syncing"])");
  EXPECT_TRUE(third.got.empty());
}

std::string addresses(std::size_t count, std::size_t first = 0) {
  std::string json = R"(["logs",{"address":[)";
  for (std::size_t i = 0; i < count; ++i) {
    std::string digits = std::to_string(first + i);
    json += (i > 0 ? ",\"0x" : "\"0x") + std::string(40 - digits.size(), '0') + digits + '"';
  }
  return json + "]}]";
}

TEST(SubscriptionManager, TheAlternativesOfAConnectionAndOfAllAreLimited) {
  pubsub::TopicTable topics;
  FilterBudget budget(25);
  Client client;
  {
    SubscriptionManager manager({.network = "main/1",
                                 .alternatives_per_connection_max = 10,
                                 .budget = &budget,
                                 .types = kAllSubscriptionTypes},
                                topics, [](std::string_view text) { return SharedBytes(as_bytes(text)); });
    const auto code = [&](ConnectionKey key, const std::string& params) {
      const auto id = manager.subscribe(key, client, params);
      return id ? 0 : id.error().code;
    };
    EXPECT_EQ(code(1, addresses(10)), 0);
    EXPECT_EQ(code(1, addresses(1, 77)), -32005);
    EXPECT_EQ(code(1, R"(["logs",{}])"), 0);  // it has none
    EXPECT_EQ(code(2, addresses(10)), 0);     // same topic: no further memory
    EXPECT_EQ(budget.used(), 10U);
    EXPECT_EQ(code(3, addresses(10, 100)), 0);
    EXPECT_EQ(code(4, addresses(6, 200)), -32005);
    EXPECT_EQ(code(4, addresses(5, 200)), 0);
    manager.drop(3);
    EXPECT_EQ(budget.used(), 15U);
    EXPECT_EQ(code(5, addresses(10, 300)), 0);
    manager.drop(1);
    EXPECT_EQ(budget.used(), 25U);  // the second connection still has it
  }
  EXPECT_EQ(budget.used(), 0U);
}

}  // namespace
}  // namespace fanfare::eth
