#include "upstream/node_error.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::upstream {
namespace {

NodeError judge(int code, const std::string& message) {
  return judge_error(R"({"code":)" + std::to_string(code) + R"(,"message":")" + message + "\"}");
}

TEST(JudgeError, LimitsOfANode) {
  for (const int code : {-32005, -32016, 429}) EXPECT_EQ(judge(code, "no"), NodeError::limited) << code;
  for (const char* message : {"daily request count exceeded, request rate limited", "Too Many Requests",
                              "Your app has exceeded its compute units per second capacity"}) {
    EXPECT_EQ(judge(-32000, message), NodeError::limited) << message;
  }
}

TEST(JudgeError, WhatANodeCannotKnow) {
  EXPECT_EQ(judge(-32601, "the method eth_x does not exist/is not available"), NodeError::lacking);
  for (const char* message : {"missing trie node 7f3a (path )", "header not found", "Unknown block",
                              "distance to target block exceeds maximum; state is pruned"}) {
    EXPECT_EQ(judge(-32000, message), NodeError::lacking) << message;
  }
}

TEST(JudgeError, WhatEveryNodeWouldSay) {
  EXPECT_EQ(judge(3, "execution reverted"), NodeError::answer);
  EXPECT_EQ(judge(-32000, "nonce too low"), NodeError::answer);
  EXPECT_EQ(judge(-32602, "invalid argument 0"), NodeError::answer);
  EXPECT_EQ(judge(-32005, "query returned more than 10000 results"), NodeError::answer);
  EXPECT_EQ(judge(-32005, "block range is too wide"), NodeError::answer);
  EXPECT_EQ(judge_error("{}"), NodeError::answer);
  EXPECT_EQ(judge_error(""), NodeError::answer);
}

TEST(DigitsOfId, TakesWhatNodesMakeOfAWholeNumber) {
  for (const char* raw : {"7", "\"7\"", "7.0"}) EXPECT_EQ(digits_of_id(raw), "7") << raw;
  for (const char* raw : {"70", "\"\"", "null", "7.01", "\"8\"", ""})
    EXPECT_NE(digits_of_id(raw), "7") << raw;
}

}  // namespace
}  // namespace fanfare::upstream
