// How much of a node's messages may wait here.

#include "upstream/link_inbox.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::upstream {
namespace {

LinkInbox::Item message(std::size_t result_bytes = 1) {
  const std::string text = R"({"jsonrpc":"2.0","id":7,"result":")" + std::string(result_bytes, 'x') + "\"}";
  return {.what = NodeMessage(text, *jsonrpc::split_response(text))};
}

bool work_off_one(LinkInbox& inbox) {
  const auto item = inbox.pop();
  return item && inbox.worked_off(*item);
}

TEST(LinkInbox, AMessageKeepsItsViewsWhereverItIsMoved) {
  auto first = message(3);
  auto moved = std::move(first);
  const auto& answer = std::get<NodeMessage>(moved.what).answer();
  EXPECT_EQ(answer.raw, R"({"jsonrpc":"2.0","id":7,"result":"xxx"})");
  EXPECT_EQ(answer.id, "7");
  EXPECT_EQ(answer.result, "\"xxx\"");
  EXPECT_EQ(answer.error, "");
  EXPECT_EQ(answer.params, "");
}

TEST(LinkInbox, IsFullAtTheNumberAndEmptyEnoughAtHalfOfIt) {
  LinkInbox inbox({.messages_max = 4, .bytes_max = 1 << 20});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(inbox.push(message()).full);
  EXPECT_TRUE(inbox.push(message()).full);
  EXPECT_TRUE(inbox.is_full());
  EXPECT_FALSE(work_off_one(inbox));
  EXPECT_TRUE(inbox.is_full());
  EXPECT_TRUE(work_off_one(inbox));
  EXPECT_FALSE(inbox.is_full());
  EXPECT_FALSE(work_off_one(inbox));  // reported only once
}

TEST(LinkInbox, IsFullAtTheBytesWhichCountUntilTheyAreWorkedOff) {
  const std::size_t size = std::get<NodeMessage>(message(100).what).bytes();
  LinkInbox inbox({.messages_max = 100, .bytes_max = 2 * size});
  EXPECT_FALSE(inbox.push(message(99)).full);
  EXPECT_FALSE(inbox.is_full());
  EXPECT_TRUE(inbox.push(message(101)).full);
  const auto taken = inbox.pop();
  EXPECT_TRUE(inbox.is_full());
  EXPECT_FALSE(inbox.worked_off(*taken));  // one byte above half
  EXPECT_TRUE(work_off_one(inbox));
}

TEST(LinkInbox, OnlyTheFirstItemIsNews) {
  LinkInbox inbox({});
  EXPECT_TRUE(inbox.push({.what = LinkOpened{}}).first);
  EXPECT_FALSE(inbox.push(message()).first);
  inbox.pop();
  EXPECT_TRUE(inbox.goes_on());
  EXPECT_FALSE(inbox.push(message()).first);
  inbox.pop();
  inbox.pop();
  EXPECT_FALSE(inbox.pop().has_value());
  EXPECT_FALSE(inbox.goes_on());
  EXPECT_TRUE(inbox.push(message()).first);
}

TEST(LinkInbox, WhatItHoldsOfABudgetGoesWithTheItem) {
  ByteBudget budget(1000);
  LinkInbox inbox({});
  auto item = message();
  item.hold = ByteHold(std::make_shared<ByteShare>(budget, 1000));
  ASSERT_TRUE(item.hold.grow(40));
  inbox.push(std::move(item));
  EXPECT_EQ(budget.used(), 40U);
  inbox.pop();
  EXPECT_EQ(budget.used(), 0U);
}

}  // namespace
}  // namespace fanfare::upstream
