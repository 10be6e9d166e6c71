#include "rpc/answer_room.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace fanfare::rpc {
namespace {

constexpr const char* kTooLarge =
    R"({"jsonrpc":"2.0","id":7,"error":{"code":-32003,"message":"response too large"}})";

TEST(AnswerRoom, ABatchIsFilledToItsBound) {
  AnswerRoom room({}, 100);
  std::string answer;
  EXPECT_TRUE(room.take_answer(60, "1", answer));
  EXPECT_TRUE(room.take_answer(40, "2", answer));
  EXPECT_EQ(answer, "");
  EXPECT_FALSE(room.take_answer(1, "7", answer));
  EXPECT_EQ(answer, kTooLarge);
}

TEST(AnswerRoom, OnceItIsFullNothingFits) {
  AnswerRoom room({}, 100);
  std::string answer;
  EXPECT_TRUE(room.take_answer(60, "1", answer));
  EXPECT_FALSE(room.take_answer(41, "7", answer));
  answer.clear();
  EXPECT_FALSE(room.take_answer(1, "7", answer));
  EXPECT_EQ(answer, kTooLarge);
}

TEST(AnswerRoom, ASingleAnswerHasNoBoundOfItsOwn) {
  AnswerRoom room({}, 0);
  std::string answer;
  EXPECT_TRUE(room.take_answer(std::size_t{1} << 40, "1", answer));
}

TEST(AnswerRoom, TheClientsShareIsForRequestAndAnswers) {
  ByteBudget budget(1000);
  const auto share = std::make_shared<ByteShare>(budget, 100);
  std::string answer;
  {
    AnswerRoom room(share, 1000);
    EXPECT_TRUE(room.take_request(30));
    EXPECT_TRUE(room.take_answer(70, "1", answer));
    EXPECT_FALSE(room.take_answer(1, "7", answer));
    EXPECT_NE(answer.find("-32005"), std::string::npos);
    // An answer that exceeds the share does not end the batch: a smaller one is tried.
    EXPECT_TRUE(room.take_answer(0, "2", answer));
    answer.clear();
    EXPECT_FALSE(room.take_answer(1, "", answer));  // a notification
    EXPECT_EQ(answer, "");
    const ByteHold kept = room.release();
    EXPECT_EQ(kept.bytes(), 100U);
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST(AnswerRoom, AMessageWithoutRoomIsRefused) {
  ByteBudget budget(1000);
  AnswerRoom room(std::make_shared<ByteShare>(budget, 100), 0);
  EXPECT_TRUE(room.take_request(100));
  EXPECT_FALSE(room.take_request(1));
}

}  // namespace
}  // namespace fanfare::rpc
