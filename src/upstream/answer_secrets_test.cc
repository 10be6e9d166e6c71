#include "upstream/answer_secrets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfare::upstream {
namespace {

const std::vector<std::string> kSecrets = secrets_of(
    "https://node.example/v2/s3cretkey", {{"Authorization", "Bearer t0ken-abc"}, {"X-Env", "dev"}});

TEST(AnswerSecrets, OfTheUrlAndTheHeadersLongestFirst) {
  EXPECT_EQ(kSecrets, (std::vector<std::string>{"Bearer t0ken-abc", "s3cretkey", "t0ken-abc"}));
}

TEST(AnswerSecrets, DoNotStandInErrors) {
  EXPECT_EQ(
      without_secrets_in_errors(
          R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"bad key s3cretkey","data":{"authorization":"Bearer t0ken-abc"}}})",
          kSecrets),
      R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"bad key ***","data":{"authorization":"***"}}})");
}

TEST(AnswerSecrets, ResultsStayAsTheyAre) {
  for (const std::string answer :
       {R"({"jsonrpc":"2.0","id":1,"result":"s3cretkey"})",
        R"({"jsonrpc":"2.0","id":1,"result":{"error":"s3cretkey"}})",
        R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"nothing secret"}})",
        R"("error" s3cretkey, no JSON)"}) {
    EXPECT_EQ(without_secrets_in_errors(answer, kSecrets), answer);
  }
}

TEST(AnswerSecrets, OfABatchOnlyTheErrorsChange) {
  EXPECT_EQ(
      without_secrets_in_errors(
          R"( [{"id":1,"result":"s3cretkey"}, {"id":2,"error":{"code":-1,"message":"t0ken-abc"}} ,{"id":3,"result":1}])",
          kSecrets),
      R"( [{"id":1,"result":"s3cretkey"}, {"id":2,"error":{"code":-1,"message":"***"}} ,{"id":3,"result":1}])");
}

}  // namespace
}  // namespace fanfare::upstream
