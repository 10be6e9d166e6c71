#include "eth/subscription_params.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::eth {
namespace {

SubscriptionRequest parsed(std::string_view params) {
  const auto request = parse_subscription(params, kAllSubscriptionTypes);
  EXPECT_TRUE(request) << params << ": " << (request ? "" : request.error().message);
  return request.value_or(SubscriptionRequest{});
}

RpcError refused(std::string_view params) {
  const auto request = parse_subscription(params, kAllSubscriptionTypes);
  EXPECT_FALSE(request) << params;
  return request ? RpcError{} : request.error();
}

TEST(SubscriptionParams, OptionsComeAfterWhatTheTypeHas) {
  EXPECT_TRUE(parsed(R"(["newHeads",{"cursor":true}])").has_cursors);
  EXPECT_TRUE(parsed(R"(["logs",{},{"cursor":true}])").has_cursors);
  EXPECT_TRUE(parsed(R"(["logs",null,{"cursor":true}])").has_cursors);
  EXPECT_FALSE(parsed(R"(["newHeads",{}])").has_cursors);
  EXPECT_FALSE(parsed(R"(["newHeads",null])").has_cursors);
  EXPECT_FALSE(parsed(R"(["newHeads",{"cursor":false}])").has_cursors);
  EXPECT_FALSE(parsed(R"(["newPendingTransactions",true,{"cursor":null}])").has_cursors);
}

TEST(SubscriptionParams, WithCursorsItIsAnotherStreamOfTexts) {
  EXPECT_EQ(parsed(R"(["newHeads"])").topic, "newHeads");
  EXPECT_EQ(parsed(R"(["newHeads",{"cursor":true}])").topic, "newHeads#cursor");
  EXPECT_NE(parsed(R"(["logs",{},{"cursor":true}])").topic, parsed(R"(["logs",{}])").topic);
}

TEST(SubscriptionParams, ACursorIsReadAndTheRestOfTheStreamIsShared) {
  const Position position{.number = 9, .hash = {}, .logs_told = 2, .ancestors = {}};
  const SubscriptionRequest request = parsed(R"(["logs",{},{"cursor":")" + to_cursor(position) + "\"}]");
  EXPECT_EQ(request.resume_from, position);
  EXPECT_EQ(request.topic, parsed(R"(["logs",{},{"cursor":true}])").topic);
}

TEST(SubscriptionParams, WhatIsNoCursorIsRefusedWithItsValue) {
  const RpcError error = refused(R"(["newHeads",{"cursor":"yesterday"}])");
  EXPECT_EQ(error.code, -32602);
  EXPECT_EQ(error.message, "invalid cursor: \"yesterday\"");
  EXPECT_EQ(refused(R"(["newHeads",{"cursor":7}])").code, -32602);
  EXPECT_LT(refused(R"(["newHeads",{"cursor":")" + std::string(10'000, 'A') + "\"}]").message.size(), 100U);
}

TEST(SubscriptionParams, WhatHasNoPlaceInTheChainCannotBeResumed) {
  EXPECT_EQ(refused(R"(["syncing",{"cursor":true}])").message,
            "syncing cannot be resumed, so it has no cursor");
  EXPECT_EQ(refused(R"(["newPendingTransactions",false,{"cursor":"AQAA"}])").code, -32602);
}

TEST(SubscriptionParams, OnlyHeadsCanBeCutDownToTheLatest) {
  EXPECT_TRUE(parsed(R"(["newHeads",{"slow":"latest"}])").latest_if_slow);
  EXPECT_FALSE(parsed(R"(["newHeads",{"slow":"close"}])").latest_if_slow);
  EXPECT_FALSE(parsed(R"(["logs",{},{"slow":"close"}])").latest_if_slow);
  EXPECT_EQ(refused(R"(["logs",{},{"slow":"latest"}])").code, -32602);
  EXPECT_EQ(refused(R"(["syncing",{"slow":"latest"}])").message,
            "syncing cannot be reduced to its latest value, so slow must be close");
  EXPECT_EQ(refused(R"(["newHeads",{"slow":"never"}])").code, -32602);
}

TEST(SubscriptionParams, WhatIsNotUnderstoodIsRefused) {
  EXPECT_EQ(refused(R"(["newHeads",{"curser":true}])").message, "unknown option \"curser\"");
  EXPECT_EQ(refused(R"(["newHeads",true])").message, "the options must be an object");
  EXPECT_EQ(refused(R"(["logs",{},7])").code, -32602);
  EXPECT_EQ(refused(R"(["newHeads",null,{"cursor":true}])").message, "too many arguments, want at most 2");
  EXPECT_EQ(refused(R"(["logs",{},{},{}])").message, "too many arguments, want at most 3");
}

}  // namespace
}  // namespace fanfare::eth
