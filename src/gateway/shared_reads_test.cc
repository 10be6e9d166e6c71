// Identical reads are made once, and answers that cannot change are fetched once and for all.

#include "gateway/shared_reads.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/forward.h"
#include "upstream/time_for_tests.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

// Keeps calls until the test answers them; queries for the final block are answered at once.
class HeldNode final : public upstream::Backend {
 public:
  void call(std::string body, upstream::CallOptions options, upstream::Done done) override {
    if (body.contains("\"finalized\"")) {
      ++asked_for_final;
      return done(
          upstream::Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":{"number":")" + final_number + "\"}}"});
    }
    bodies.push_back(std::move(body));
    heads.push_back(options.head_min);
    held.push_back(std::move(done));
  }
  std::string_view name() const override { return "held"; }
  void answer(std::string body) {
    upstream::Done done = std::move(held.front());
    held.pop_front();
    done(upstream::Reply{.body = std::move(body)});
  }
  void answer_result(const std::string& result) {
    answer(R"({"jsonrpc":"2.0","id":0,"result":)" + result + "}");
  }

  std::vector<std::string> bodies;
  std::vector<std::uint64_t> heads;
  std::deque<upstream::Done> held;
  std::string final_number = "0x64";
  int asked_for_final = 0;
};

struct SharedReadsTest : ::testing::Test {
  // The index of the coming answer, in `answers`.
  std::size_t ask(std::vector<ForwardItem> items, std::uint64_t head_min = 0) {
    const std::size_t index = answers.size();
    answers.emplace_back("(none yet)");
    const bool batch = items.size() > 1;
    forward(node, &reads, {.items = std::move(items), .batch = batch, .head_min = head_min},
            [this, index](ForwardJob answered) { answers[index] = join_answers(answered); });
    return index;
  }
  std::size_t ask(const std::string& id, const std::string& method, const std::string& params = "[]",
                  std::uint64_t head_min = 0) {
    return ask({item(id, method, params)}, head_min);
  }
  static ForwardItem item(const std::string& id, const std::string& method,
                          const std::string& params = "[]") {
    return {.id = id, .method = method, .params = params, .answer = {}};
  }
  static std::string result(const std::string& id, const std::string& json) {
    return R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + json + "}";
  }

  std::vector<std::string> answers;  // outlives the callbacks that write to it at the end
  upstream::testing::SimulatedTime time;
  HeldNode node;
  NetworkMetrics metrics{"main", "1"};
  SharedReads reads{time, node, metrics, 1 << 20};
};

const std::string kBalanceParams = R"(["0x)" + std::string(40, 'b') + R"(","0x10"])";
const std::string kHash = "0x" + std::string(64, 'a');
const std::string kByHash = "[\"" + kHash + "\",false]";

TEST_F(SharedReadsTest, WhoAskTheSameShareOneCallAndGetTheirOwnIds) {
  ask("7", "eth_gasPrice");
  ask("\"x\"", "eth_gasPrice", "");
  ask("null", "eth_gasPrice", "[ ]");
  ask("8", "eth_blockNumber");
  ASSERT_EQ(node.bodies.size(), 2U);
  node.answer_result("\"0x1\"");
  EXPECT_EQ(answers[0], result("7", "\"0x1\""));
  EXPECT_EQ(answers[1], result("\"x\"", "\"0x1\""));
  EXPECT_EQ(answers[2], result("null", "\"0x1\""));
  EXPECT_EQ(answers[3], "(none yet)");
  EXPECT_EQ(metrics.reads.value(), 4U);
  EXPECT_EQ(metrics.reads_shared.value(), 2U);
}

TEST_F(SharedReadsTest, AFailureIsSharedToo) {
  ask("1", "eth_gasPrice");
  ask("2", "eth_gasPrice");
  node.answer("<html>");
  for (const std::string& answer : answers) EXPECT_TRUE(answer.contains("-32603")) << answer;
}

TEST_F(SharedReadsTest, AWriteIsNeverShared) {
  ask("1", "eth_sendRawTransaction", "[\"0x01\"]");
  ask("2", "eth_sendRawTransaction", "[\"0x01\"]");
  EXPECT_EQ(node.bodies.size(), 2U);
}

TEST_F(SharedReadsTest, NobodyIsGivenWhatWasAskedForBeforeAWrite) {
  ask("1", "eth_getTransactionCount", R"(["0x1","latest"])");
  ask("2", "eth_sendRawTransaction", "[\"0x01\"]");
  time.run_for(1ms);
  ask("3", "eth_getTransactionCount", R"(["0x1","latest"])");
  EXPECT_EQ(node.bodies.size(), 3U);
  node.answer_result("\"0x5\"");
  EXPECT_EQ(answers[2], "(none yet)");
  node.answer_result("\"0xhash\"");  // the write ends: reads from before its end are too old again
  time.run_for(1ms);
  ask("4", "eth_getTransactionCount", R"(["0x1","latest"])");
  EXPECT_EQ(node.bodies.size(), 4U);
}

TEST_F(SharedReadsTest, WhoWasShownANewerHeadAsksAnew) {
  ask("1", "eth_call", R"([{},"latest"])", 10);
  ask("2", "eth_call", R"([{},"latest"])", 10);
  ask("3", "eth_call", R"([{},"latest"])", 11);
  ask("4", "eth_call", R"([{},"latest"])", 9);
  EXPECT_EQ(node.heads, (std::vector<std::uint64_t>{10, 11}));
}

TEST_F(SharedReadsTest, AnAnswerByHashIsKept) {
  ask("1", "eth_getBlockByHash", kByHash);
  node.answer_result(R"({"number":"0x5"})");
  ask("2", "eth_getBlockByHash", "[ \"" + kHash + "\" , false ]", 99);
  EXPECT_EQ(answers[1], result("2", R"({"number":"0x5"})"));
  EXPECT_EQ(node.bodies.size(), 1U);
  EXPECT_EQ(metrics.cache_hits.value(), 1U);
  EXPECT_EQ(metrics.cache_misses.value(), 1U);
  EXPECT_GT(metrics.cache_bytes.value(), 0);
  reads.forget();
  ask("3", "eth_getBlockByHash", kByHash);
  EXPECT_EQ(node.bodies.size(), 2U);
}

TEST_F(SharedReadsTest, WhatMayComeYetIsNotKept) {
  for (const std::string nothing : {"null", R"({"code":1})"}) {
    ask("1", "eth_getBlockByHash", kByHash);
    node.answer(nothing == "null" ? result("0", "null")
                                  : R"({"jsonrpc":"2.0","id":0,"error":)" + nothing + "}");
  }
  // A node that does not have the block yet may say that there are no logs.
  for (int i = 0; i < 2; ++i) {
    ask("1", "eth_getLogs", R"([{"blockHash":")" + kHash + "\"}]");
    node.answer_result("[]");
  }
  EXPECT_EQ(node.bodies.size(), 4U);
}

TEST_F(SharedReadsTest, AnAnswerByNumberIsKeptOnceTheBlockIsFinal) {
  ask("1", "eth_getBlockByNumber", R"(["0x64",false])");  // 100 is final, which was not known
  node.answer_result(R"({"number":"0x64"})");
  EXPECT_EQ(node.asked_for_final, 1);
  ask("2", "eth_getBlockByNumber", R"(["0x64",false])");
  ask("3", "eth_getBlockByNumber", R"(["0x65",false])");
  node.answer_result(R"({"number":"0x65"})");
  ask("4", "eth_getBlockByNumber", R"(["0x65",false])");
  EXPECT_EQ(node.bodies.size(), 3U);
  EXPECT_EQ(answers[1], result("2", R"({"number":"0x64"})"));
  // The final block is queried once in 15 s at most.
  EXPECT_EQ(node.asked_for_final, 1);
  time.run_for(16s);
  node.final_number = "0x65";
  ask("5", "eth_getBlockByNumber", R"(["0x65",true])");
  EXPECT_EQ(node.asked_for_final, 2);
}

TEST_F(SharedReadsTest, AnotherBlockThanTheOneAskedForIsNotKept) {
  ask("1", "eth_getBlockByNumber", R"(["0x1",false])");
  node.answer_result(R"({"number":"0x1"})");
  for (const char* slip : {R"({"number":"0x8"})", R"({"surprise":1})", "[]"}) {
    SCOPED_TRACE(slip);
    const std::size_t before = node.bodies.size();
    ask("2", "eth_getBlockByNumber", R"(["0x2",false])");
    node.answer_result(slip);
    ask("3", "eth_getBlockByNumber", R"(["0x2",false])");
    ASSERT_EQ(node.bodies.size(), before + 2);
    node.answer_result(slip);
  }
}

TEST_F(SharedReadsTest, WhatADevelopmentNodeRewritesIsForgotten) {
  for (const char* method :
       {"anvil_setBalance", "hardhat_setStorageAt", "evm_revert", "dev_setNonce", "debug_setHead"}) {
    SCOPED_TRACE(method);
    answers.clear();
    reads.forget();
    ask("1", "eth_getBalance", kBalanceParams);
    node.answer_result("\"0x1\"");
    ask("2", "eth_getBalance", kBalanceParams);
    ASSERT_EQ(answers[1], result("2", "\"0x1\"")) << "from memory";
    const std::size_t before = node.bodies.size();
    ask("4", method);
    time.run_for(1ms);
    ask("5", "eth_getBalance", kBalanceParams);  // may still be from before the write
    EXPECT_EQ(node.bodies.size(), before + 2);
    node.answer_result("true");
    node.answer_result("\"0x1\"");
    time.run_for(1ms);
    ask("6", "eth_getBalance", kBalanceParams);
    ASSERT_EQ(node.bodies.size(), before + 3);
    node.answer_result("\"0x2\"");
    EXPECT_EQ(answers[4], result("6", "\"0x2\""));
  }
}

TEST_F(SharedReadsTest, AReorgBelowWhatWasFinalForgetsEverything) {
  ask("1", "eth_getBlockByNumber", R"(["0x1",false])");
  node.answer_result(R"({"number":"0x1"})");
  reads.chain_went_back(100);
  ask("2", "eth_getBlockByNumber", R"(["0x1",false])");
  EXPECT_EQ(node.bodies.size(), 1U);
  reads.chain_went_back(99);
  ask("3", "eth_getBlockByNumber", R"(["0x1",false])");
  EXPECT_EQ(node.bodies.size(), 2U);
}

TEST_F(SharedReadsTest, ABatchIsAnsweredFromAllPlaces) {
  ask("1", "eth_getBlockByHash", kByHash);
  node.answer_result("{}");
  ask("2", "eth_gasPrice");  // in flight
  ask({item("10", "eth_getBlockByHash", kByHash), item("11", "eth_gasPrice"), item("12", "eth_chainId"),
       item("13", "eth_chainId"), item("14", "eth_sendRawTransaction", "[]")});
  ASSERT_EQ(node.bodies.size(), 3U);
  EXPECT_EQ(node.bodies[2], R"([{"jsonrpc":"2.0","id":2,"method":"eth_chainId","params":[]},)"
                            R"({"jsonrpc":"2.0","id":4,"method":"eth_sendRawTransaction","params":[]}])");
  node.answer_result("\"0x9\"");
  EXPECT_EQ(answers[2], "(none yet)");
  node.answer("[" + result("4", "\"0xh\"") + "," + result("2", "\"0x1\"") + "]");
  EXPECT_EQ(answers[2], "[" + result("10", "{}") + "," + result("11", "\"0x9\"") + "," +
                            result("12", "\"0x1\"") + "," + result("13", "\"0x1\"") + "," +
                            result("14", "\"0xh\"") + "]");
}

TEST_F(SharedReadsTest, WithoutMemoryNothingIsKept) {
  SharedReads bare(time, node, metrics, 0);
  const auto read = SharedReads::read_of("eth_getBlockByHash", kByHash);
  const auto ticket = bare.join(*read, {}, [](const auto&) {});
  bare.finish(*ticket, *read, upstream::Reply{.body = result("0", "{}")});
  EXPECT_FALSE(bare.kept(*read));
}

}  // namespace
}  // namespace fanfare::gateway
