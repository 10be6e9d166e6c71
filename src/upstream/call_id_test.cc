#include "upstream/call_id.h"

#include <gtest/gtest.h>

namespace fanfare::upstream {
namespace {

TEST(CallId, IsGivenAndTakenBack) {
  std::string body = R"({"jsonrpc":"2.0","id":0,"method":"eth_chainId","params":[{"id":7}]})";
  const CallId id = give_id(body, 1234);
  EXPECT_EQ(body, R"({"jsonrpc":"2.0","id":1234,"method":"eth_chainId","params":[{"id":7}]})");
  for (const std::string_view written : {"1234", "\"1234\"", "1234.0"}) {
    Reply reply{.body = R"( {"result":{"id":5},"id":)" + std::string(written) + "} "};
    EXPECT_TRUE(take_id_back(reply, id));
    EXPECT_EQ(reply.body, R"( {"result":{"id":5},"id":0} )");
    const auto answer = answer_of(reply);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->id, "0");
    EXPECT_EQ(answer->result, R"({"id":5})");
  }
}

TEST(CallId, ThatIsShorterThanTheCallersIsTakenBack) {
  std::string body = R"({"id":123456789,"method":"a"})";
  const CallId id = give_id(body, 3);
  EXPECT_EQ(body, R"({"id":3,"method":"a"})");
  Reply reply{.body = R"({"id":3,"result":")" + std::string(20'000, 'x') + R"("})"};
  EXPECT_TRUE(take_id_back(reply, id));
  EXPECT_TRUE(reply.body.starts_with(R"({"id":123456789,"result":"xx)"));
  EXPECT_EQ(answer_of(reply)->result.size(), 20'002U);
  EXPECT_EQ(answer_of(reply)->raw, reply.body);
}

TEST(CallId, OfAnotherCallIsNoticed) {
  std::string body = R"({"id":0})";
  const CallId id = give_id(body, 2);
  for (const std::string_view other :
       {R"({"id":1,"result":1})", R"({"id":0,"result":1})", R"({"id":"x","error":{}})"}) {
    Reply reply{.body = std::string(other)};
    EXPECT_FALSE(take_id_back(reply, id)) << other;
    EXPECT_EQ(reply.body, other);
  }
}

TEST(CallId, BatchesAndAnswersWithoutAnIdStayAsTheyAre) {
  std::string batch = R"([{"id":0},{"id":1}])";
  const CallId none = give_id(batch, 2);
  EXPECT_EQ(batch, R"([{"id":0},{"id":1}])");
  Reply answers{.body = R"([{"id":0,"result":1}])"};
  EXPECT_TRUE(take_id_back(answers, none));
  std::string body = R"({"id":0})";
  const CallId id = give_id(body, 2);
  for (const std::string_view text :
       {R"({"id":null,"error":{}})", R"({"result":1})", R"([{"id":9,"result":1}])"}) {
    Reply reply{.body = std::string(text)};
    EXPECT_TRUE(take_id_back(reply, id)) << text;
    EXPECT_EQ(reply.body, text);
  }
}

}  // namespace
}  // namespace fanfare::upstream
