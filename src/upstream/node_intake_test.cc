// What a node may send, and when it counts as flooding.

#include "upstream/node_intake.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using IntakeVerdict = NodeIntake::Verdict;

struct NodeIntakeTest : ::testing::Test {
  Instant now{1h};
  NodeIntake intake{IntakeLimits{.useless_max = 3,
                                 .useless_per_second = 1,
                                 .heads_max = 2,
                                 .heads_per_second = 1,
                                 .heads_skipped_max = 2,
                                 .heads_skipped_per_second = 1,
                                 .unasked_bytes_max = 100,
                                 .questions_max = 2,
                                 .subscriptions_max = 2}};

  IntakeVerdict judge(std::string_view text) {
    const auto answer = jsonrpc::split_response(text);
    return intake.judge(answer ? &*answer : nullptr, text.size(), now);
  }
  IntakeVerdict answer(int id, std::string_view result = "\"0x1\"") {
    return judge(R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":)" + std::string(result) +
                 "}");
  }
  IntakeVerdict told(std::string_view subscription) {
    return judge(R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":)" +
                 std::string(subscription) + R"(,"result":{}}})");
  }
};

TEST_F(NodeIntakeTest, AnAnswerIsGoodOnce) {
  intake.asked(17, Asked::answer);
  EXPECT_EQ(answer(17), IntakeVerdict::pass);
  EXPECT_EQ(answer(17), IntakeVerdict::drop);
  EXPECT_EQ(intake.problem(), "answers that nobody asked for");
}

TEST_F(NodeIntakeTest, WhatNobodyAskedForIsDroppedAtTheLimitAndAFloodOnePast) {
  EXPECT_EQ(answer(1), IntakeVerdict::drop);
  EXPECT_EQ(told("\"0x9\""), IntakeVerdict::drop);
  EXPECT_EQ(judge("junk"), IntakeVerdict::drop);
  EXPECT_EQ(judge("junk"), IntakeVerdict::flood);
  EXPECT_EQ(intake.problem(), "text that is not JSON-RPC");
}

TEST_F(NodeIntakeTest, PingsAndPongsCountAsMessagesThatNobodyAskedFor) {
  EXPECT_EQ(intake.judge_control("pings", now), IntakeVerdict::drop);
  EXPECT_EQ(judge("junk"), IntakeVerdict::drop);
  EXPECT_EQ(intake.judge_control("pongs", now), IntakeVerdict::drop);
  EXPECT_EQ(intake.judge_control("pings", now), IntakeVerdict::flood);
  EXPECT_EQ(intake.problem(), "pings");
  now += 1s;
  EXPECT_EQ(intake.judge_control("pings", now), IntakeVerdict::drop);
}

TEST_F(NodeIntakeTest, ALevelFallsWithTime) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(judge("junk"), IntakeVerdict::drop) << i;
    now += 1s;
  }
}

TEST_F(NodeIntakeTest, ALongMessageCountsForMany) {
  EXPECT_EQ(judge(std::string(2 * 4096, 'x')), IntakeVerdict::drop);  // counts as three
  EXPECT_EQ(judge("x"), IntakeVerdict::flood);
  intake.connected();
  EXPECT_EQ(judge(std::string(3 * 4096, 'x')), IntakeVerdict::flood);
}

TEST_F(NodeIntakeTest, NotificationsBelongToASubscriptionThatTheNodeTook) {
  intake.asked(1, Asked::pending);
  EXPECT_EQ(told("\"0xa\""), IntakeVerdict::drop);
  EXPECT_EQ(answer(1, "\"0xa\""), IntakeVerdict::pass);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(told("\"0xa\""), IntakeVerdict::pass);
  EXPECT_EQ(told("\"0xb\""), IntakeVerdict::drop);
  EXPECT_EQ(intake.problem(), "notifications that nobody asked for");
}

TEST_F(NodeIntakeTest, AnAnswerThatIsNoSubscriptionBeginsNone) {
  intake.asked(1, Asked::answer);
  EXPECT_EQ(answer(1, "\"0xa\""), IntakeVerdict::pass);
  EXPECT_EQ(told("\"0xa\""), IntakeVerdict::drop);
  intake.asked(2, Asked::heads);
  EXPECT_EQ(answer(2, "true"), IntakeVerdict::pass);
  EXPECT_EQ(told("true"), IntakeVerdict::drop);
}

TEST_F(NodeIntakeTest, OfHeadsPastTheLimitOnlyTheNewestCounts) {
  intake.asked(1, Asked::heads);
  EXPECT_EQ(answer(1, "\"0xa\""), IntakeVerdict::pass);
  EXPECT_EQ(told("\"0xa\""), IntakeVerdict::pass);
  EXPECT_EQ(told("\"0xa\""), IntakeVerdict::pass);
  EXPECT_EQ(told("\"0xa\""), IntakeVerdict::newest);
  EXPECT_EQ(told("\"0xa\""), IntakeVerdict::newest);
  EXPECT_EQ(told("\"0xa\""), IntakeVerdict::flood);
  EXPECT_EQ(intake.problem(), "heads faster than any chain has them");
  now += 1s;
  EXPECT_EQ(told("\"0xa\""), IntakeVerdict::pass);
}

TEST_F(NodeIntakeTest, AConnectionBeginsWithNothing) {
  intake.asked(1, Asked::heads);
  EXPECT_EQ(answer(1, "\"0xa\""), IntakeVerdict::pass);
  intake.asked(2, Asked::answer);
  intake.connected();
  EXPECT_EQ(answer(2), IntakeVerdict::drop);
  EXPECT_EQ(told("\"0xa\""), IntakeVerdict::drop);
}

TEST_F(NodeIntakeTest, ALongMessageMayArriveOnlyWhereSomethingWasAsked) {
  EXPECT_TRUE(intake.may_arrive(100));
  EXPECT_FALSE(intake.may_arrive(101));
  intake.asked(1, Asked::answer);
  EXPECT_TRUE(intake.may_arrive(101));
}

TEST_F(NodeIntakeTest, QuestionsAndSubscriptionsAreForgottenPastTheirLimits) {
  for (int id = 1; id <= 3; ++id) intake.asked(static_cast<std::uint64_t>(id), Asked::pending);
  EXPECT_EQ(answer(1), IntakeVerdict::drop);
  EXPECT_EQ(answer(2, "\"0x2\""), IntakeVerdict::pass);
  EXPECT_EQ(answer(3, "\"0x3\""), IntakeVerdict::pass);
  intake.asked(4, Asked::pending);
  EXPECT_EQ(answer(4, "\"0x4\""), IntakeVerdict::pass);
  EXPECT_EQ(told("\"0x2\""), IntakeVerdict::drop);
  EXPECT_EQ(told("\"0x3\""), IntakeVerdict::pass);
  EXPECT_EQ(told("\"0x4\""), IntakeVerdict::pass);
}

TEST_F(NodeIntakeTest, AnErrorUnderNullIsOfAQuestionAsOftenAsThereAreQuestions) {
  constexpr std::string_view kError = R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}})";
  for (std::uint64_t id = 1; id <= 2000; ++id) {
    intake.asked(id, Asked::answer);
    ASSERT_EQ(judge(kError), IntakeVerdict::drop);
    ASSERT_EQ(answer(static_cast<int>(id)), IntakeVerdict::pass);
  }
  intake.asked(2001, Asked::answer);
  EXPECT_EQ(judge(kError), IntakeVerdict::drop);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(judge(kError), IntakeVerdict::drop);
  EXPECT_EQ(judge(kError), IntakeVerdict::flood);
}

TEST_F(NodeIntakeTest, IdsThatAreNotOursAreNobodys) {
  intake.asked(1, Asked::answer);
  EXPECT_EQ(judge(R"({"jsonrpc":"2.0","id":"1","result":1})"), IntakeVerdict::drop);
  EXPECT_EQ(judge(R"({"jsonrpc":"2.0","id":1.0,"result":1})"), IntakeVerdict::drop);
  EXPECT_EQ(answer(1), IntakeVerdict::pass);
}

}  // namespace
}  // namespace fanfare::upstream
