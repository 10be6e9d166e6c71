// The calls to the node, and what becomes of its answers.

#include "gateway/forward.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>

namespace fanfare::gateway {
namespace {

// Keeps calls until the test answers them.
class FakeNode final : public upstream::Backend {
 public:
  struct Call {
    std::string body;
    upstream::CallOptions options;
    upstream::Done done;
  };
  void call(std::string body, upstream::CallOptions options, upstream::Done done) override {
    calls.push_back({std::move(body), std::move(options), std::move(done)});
  }
  std::string_view name() const override { return "fake"; }

  void answer(std::string body) {
    Call call = std::move(calls.front());
    calls.pop_front();
    call.done(upstream::Reply{.body = std::move(body)});
  }
  void fail(upstream::Failure failure) {
    Call call = std::move(calls.front());
    calls.pop_front();
    call.done(std::unexpected(std::move(failure)));
  }

  std::deque<Call> calls;
};

struct Forwarded {
  std::string answer = "(none yet)";  // outlives the node, whose calls end with it
  FakeNode node;

  explicit Forwarded(ForwardJob job) {
    forward(node, nullptr, std::move(job), [this](ForwardJob answered) { answer = join_answers(answered); });
  }
};

ForwardItem item(std::string id, std::string method, std::string params = "[]") {
  return {.id = std::move(id), .method = std::move(method), .params = std::move(params), .answer = {}};
}

TEST(Forward, SingleRequestGoesWithOurIdAndComesBackWithTheCallers) {
  Forwarded one({.items = {item("12345678901234567890123", "eth_chainId")}});
  ASSERT_EQ(one.node.calls.size(), 1U);
  EXPECT_EQ(one.node.calls.front().body, R"({"jsonrpc":"2.0","id":0,"method":"eth_chainId","params":[]})");
  EXPECT_EQ(one.node.calls.front().options.repeat, upstream::Repeat::always);
  one.node.answer(R"({"jsonrpc": "2.0", "result" : "0x1" , "id":0})");
  EXPECT_EQ(one.answer, R"({"jsonrpc": "2.0", "result" : "0x1" , "id":12345678901234567890123})");
}

TEST(Forward, NullAndStringIdsComeBackAsTheyWere) {
  Forwarded null({.items = {item("null", "net_version")}});
  null.node.answer(R"({"jsonrpc":"2.0","id":0,"result":"1"})");
  EXPECT_EQ(null.answer, R"({"jsonrpc":"2.0","id":null,"result":"1"})");
  Forwarded text({.items = {item(R"("a\u0041")", "net_version")}});
  text.node.answer(R"({"jsonrpc":"2.0","id":0,"result":"1"})");
  EXPECT_EQ(text.answer, R"({"jsonrpc":"2.0","id":"a\u0041","result":"1"})");
}

TEST(Forward, WritesAreNeverRepeated) {
  Forwarded one({.items = {item("1", "eth_sendRawTransaction", R"(["0x00"])")}});
  EXPECT_EQ(one.node.calls.front().options.repeat, upstream::Repeat::if_unsent);
  Forwarded mixed({.items = {item("1", "eth_chainId"), item("2", "eth_sendRawTransaction", R"(["0x00"])")},
                   .batch = true});
  EXPECT_EQ(mixed.node.calls.front().options.repeat, upstream::Repeat::if_unsent);
}

TEST(Forward, NotificationIsForwardedAndNotAnswered) {
  Forwarded one({.items = {item("", "eth_sendRawTransaction", R"(["0x00"])")}});
  EXPECT_EQ(one.node.calls.size(), 1U);
  one.node.answer(R"({"jsonrpc":"2.0","id":0,"result":"0x1"})");
  EXPECT_EQ(one.answer, "");
}

TEST(Forward, BatchIsOneCallAndAnswersFindTheirRequestsInAnyOrder) {
  ForwardItem answered{
      .id = "9", .method = {}, .params = {}, .answer = R"({"jsonrpc":"2.0","id":9,"result":"0xsub"})"};
  Forwarded batch({.items = {item("7", "a"), answered, item("7", "b"), item("", "c")}, .batch = true});
  ASSERT_EQ(batch.node.calls.size(), 1U);
  EXPECT_EQ(
      batch.node.calls.front().body,
      R"([{"jsonrpc":"2.0","id":0,"method":"a","params":[]},{"jsonrpc":"2.0","id":2,"method":"b","params":[]},)"
      R"({"jsonrpc":"2.0","id":3,"method":"c","params":[]}])");
  batch.node.answer(
      R"([{"jsonrpc":"2.0","id":3,"result":3},{"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"no"}},{"jsonrpc":"2.0","id":0,"result":1}])");
  EXPECT_EQ(batch.answer, R"([{"jsonrpc":"2.0","id":7,"result":1},{"jsonrpc":"2.0","id":9,"result":"0xsub"},)"
                          R"({"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no"}}])");
}

TEST(Forward, BatchRefusedAsAWholeIsAskedOneByOne) {
  Forwarded batch({.items = {item("1", "a"), item("2", "b")}, .batch = true});
  batch.node.answer(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request"}})");
  ASSERT_EQ(batch.node.calls.size(), 2U);
  batch.node.answer(R"({"jsonrpc":"2.0","id":0,"result":1})");
  EXPECT_EQ(batch.answer, "(none yet)");
  batch.node.answer(R"({"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"unknown"}})");
  EXPECT_EQ(
      batch.answer,
      R"([{"jsonrpc":"2.0","id":1,"result":1},{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"unknown"}}])");
}

TEST(Forward, BatchWithAMissingAnswerGetsAnErrorInItsPlace) {
  Forwarded batch({.items = {item("1", "a"), item("2", "b")}, .batch = true});
  batch.node.answer(R"([{"jsonrpc":"2.0","id":1,"result":true}])");
  EXPECT_EQ(
      batch.answer,
      R"([{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the upstream's answer is not JSON-RPC"}},)"
      R"({"jsonrpc":"2.0","id":2,"result":true}])");
}

TEST(Forward, OfTwoAnswersToOneCallOfABatchNeitherIsDelivered) {
  Forwarded batch({.items = {item("1", "a"), item("2", "b"), item("3", "c"), item("4", "d")}, .batch = true});
  // The second one is labelled as the third; the fourth came twice alike.
  batch.node.answer(R"([{"jsonrpc":"2.0","id":0,"result":"a"},{"jsonrpc":"2.0","id":2,"result":"b"},)"
                    R"({"jsonrpc":"2.0","id":2,"result":"c"},{"jsonrpc":"2.0","id":3,"result":"d"},)"
                    R"({"jsonrpc":"2.0","id":3,"result":"d"}])");
  const std::string none = R"(,"error":{"code":-32603,"message":"the upstream's answer is not JSON-RPC"}})";
  EXPECT_EQ(batch.answer, R"([{"jsonrpc":"2.0","id":1,"result":"a"},{"jsonrpc":"2.0","id":2)" + none +
                              R"(,{"jsonrpc":"2.0","id":3)" + none +
                              R"(,{"jsonrpc":"2.0","id":4,"result":"d"}])");
}

TEST(Forward, OneAnswerOfABatchThatIsNoneCostsTheOthersNothing) {
  Forwarded batch({.items = {item("1", "a"), item("2", "b")}, .batch = true});
  batch.node.answer(R"([{"jsonrpc":"2.0","id":0,"result":1,"error":{"code":1,"message":"both"}},)"
                    R"({"jsonrpc":"2.0","id":1,"result":true}])");
  EXPECT_EQ(
      batch.answer,
      R"([{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the upstream's answer is not JSON-RPC"}},)"
      R"({"jsonrpc":"2.0","id":2,"result":true}])");
}

TEST(Forward, FailuresBecomeTheErrorsOfTheTable) {
  using upstream::Failure;
  using upstream::FailureKind;
  const auto told = [](Failure failure) {
    Forwarded one({.items = {item("1", "eth_call")}});
    one.node.fail(std::move(failure));
    return one.answer;
  };
  EXPECT_NE(told({.kind = FailureKind::connect, .message = "refused"}).find("-32603"), std::string::npos);
  EXPECT_NE(told({.kind = FailureKind::timeout, .message = "no answer"}).find("-32002"), std::string::npos);
  EXPECT_NE(told({.kind = FailureKind::too_large, .message = "long"}).find("-32003"), std::string::npos);
  EXPECT_NE(told({.kind = FailureKind::overloaded, .message = "full"}).find("-32005"), std::string::npos);
  EXPECT_EQ(told({.kind = FailureKind::http_status,
                  .http_status = 429,
                  .message = "429",
                  .body = R"({"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"slow down"}})"}),
            R"({"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"slow down"}})");
}

// Addresses, curl's texts and answers other than JSON-RPC are for the log.
TEST(Forward, ClientsAreToldInWordsOfOurOwn) {
  using upstream::Failure;
  using upstream::FailureKind;
  for (int kind = 0; kind <= static_cast<int>(FailureKind::shutdown); ++kind) {
    Forwarded one({.items = {item("1", "eth_call")}});
    one.node.fail({.kind = static_cast<FailureKind>(kind),
                   .http_status = 502,
                   .message = "Failed to connect to 10.0.0.7 port 8545",
                   .body = "<html>Authorization: s3cret</html>"});
    EXPECT_TRUE(one.answer.contains("\"error\"")) << one.answer;
    for (const char* secret : {"10.0.0.7", "8545", "connect to", "html", "s3cret"}) {
      EXPECT_FALSE(one.answer.contains(secret)) << one.answer;
    }
  }
}

TEST(Forward, WhatANodePutsBesideItsAnswerStaysHere) {
  Forwarded result({.items = {item("5", "eth_call")}});
  result.node.answer(R"({"jsonrpc":"2.0","id":0,"headers":{"authorization":"s3cret"},"result":{"a":1}})");
  EXPECT_EQ(result.answer, R"({"jsonrpc":"2.0","id":5,"result":{"a":1}})");
  Forwarded error({.items = {item("5", "eth_call")}});
  error.node.answer(
      R"({"jsonrpc":"2.0","id":0,"error":{"code":3,"message":"reverted","data":"0x08","node":"10.0.0.7"},"trace":"s3cret"})");
  EXPECT_EQ(error.answer,
            R"({"jsonrpc":"2.0","id":5,"error":{"code":3,"message":"reverted","data":"0x08"}})");
}

TEST(Forward, AnswerThatIsNoAnswerIsAnError) {
  for (const char* body : {"", "{}", "[]", "null", R"({"id":0})", R"({"jsonrpc":"2.0","id":0,"result":1)"}) {
    Forwarded one({.items = {item("5", "eth_call")}});
    one.node.answer(body);
    EXPECT_EQ(
        one.answer,
        R"({"jsonrpc":"2.0","id":5,"error":{"code":-32603,"message":"the upstream's answer is not JSON-RPC"}})")
        << body;
  }
}

TEST(Forward, ABatchIsAnsweredUpToItsBound) {
  // Each answer is 41 bytes long.
  const std::string answers =
      R"([{"jsonrpc":"2.0","id":0,"result":"01234"},{"jsonrpc":"2.0","id":1,"result":"01234"}])";
  const auto answered = [&](std::size_t bytes_max) {
    ForwardJob job{.items = {item("7", "a"), item("8", "b")}, .batch = true};
    job.room = AnswerRoom({}, bytes_max);
    Forwarded batch(std::move(job));
    batch.node.answer(answers);
    return batch.answer;
  };
  EXPECT_EQ(answered(82),
            R"([{"jsonrpc":"2.0","id":7,"result":"01234"},{"jsonrpc":"2.0","id":8,"result":"01234"}])");
  EXPECT_EQ(answered(81),
            R"([{"jsonrpc":"2.0","id":7,"result":"01234"},)"
            R"({"jsonrpc":"2.0","id":8,"error":{"code":-32003,"message":"response too large"}}])");
}

TEST(Forward, AnswersCountAgainstTheClientsShareUntilTheyHaveLeft) {
  ByteBudget budget(1000);
  const auto share = std::make_shared<ByteShare>(budget, 50);
  {
    ForwardJob job{.items = {item("7", "a")}};
    job.room = AnswerRoom(share, 0);
    Forwarded one(std::move(job));
    EXPECT_EQ(one.node.calls.front().options.payer, share);
    one.node.answer(R"({"jsonrpc":"2.0","id":0,"result":"01234"})");
    EXPECT_EQ(one.answer, R"({"jsonrpc":"2.0","id":7,"result":"01234"})");
  }
  EXPECT_EQ(share->held(), 0U);
  {
    ForwardJob job{.items = {item("7", "a")}};
    job.room = AnswerRoom(share, 0);
    Forwarded one(std::move(job));
    one.node.answer(R"({"jsonrpc":"2.0","id":0,"result":"0123456789abcdef"})");
    EXPECT_NE(one.answer.find("-32005"), std::string::npos) << one.answer;
  }
  EXPECT_EQ(budget.used(), 0U);
}

// As if memory ran out between the node's answer and the gateway.
TEST(Forward, AnAnswerThatIsLostOnItsWayIsAnError) {
  Forwarded batch({.items = {item("7", "a"), item("8", "b"), item("", "c")}, .batch = true});
  batch.node.calls.clear();
  EXPECT_NE(batch.answer.find(R"("id":7,"error":{"code":-32005)"), std::string::npos) << batch.answer;
  EXPECT_NE(batch.answer.find(R"("id":8,"error":{"code":-32005)"), std::string::npos) << batch.answer;
}

TEST(Forward, HeadTheCallerWasShownGoesAlong) {
  Forwarded one(
      {.items = {item("1", "eth_blockNumber")}, .head_min = 42, .timeout = std::chrono::seconds(3)});
  EXPECT_EQ(one.node.calls.front().options.head_min, 42U);
  EXPECT_EQ(one.node.calls.front().options.timeout, std::chrono::seconds(3));
}

}  // namespace
}  // namespace fanfare::gateway
