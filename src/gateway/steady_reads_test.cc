// Two nodes at different heights, and what their network's clients get.

#include "gateway/steady_reads.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "eth/hex.h"
#include "gateway/forward.h"
#include "gateway/shared_reads.h"
#include "jsonrpc/request.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/pool.h"
#include "upstream/time_for_tests.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

std::string quoted(std::uint64_t number) {
  return '"' + eth::to_quantity(number) + '"';
}

// Knows heights and received transactions; answers after a millisecond, batches too.
struct UnevenNode final : upstream::Backend {
  UnevenNode(upstream::testing::SimulatedTime& its_time, std::string called)
      : time(its_time), id(std::move(called)) {}

  void call(std::string body, upstream::CallOptions, upstream::Done done) override {
    time.call_after(1ms, [this, body = std::move(body), done = std::move(done)]() mutable {
      if (failure) {
        const upstream::Failure its = *failure;
        if (fails_once) failure.reset();
        return done(std::unexpected(its));
      }
      done(upstream::Reply{.body = answer(body)});
    });
  }
  std::string answer(const std::string& body) {
    jsonrpc::Parser parser;
    const auto message = parser.parse(body);
    if (message->batch && refuses_batches_above < message->requests.size()) {
      ++refused;
      return R"({"jsonrpc":"2.0","id":null,"error":)" + refusal + "}";
    }
    std::string all = message->batch ? "[" : "";
    for (const jsonrpc::Request& request : message->requests) {
      ++asked[std::string(request.method)];
      if (all.size() > 1) all += ',';
      all += one(request);
    }
    return all + (message->batch ? "]" : "");
  }
  std::string one(const jsonrpc::Request& request) {
    const std::string id_text = wrong_ids ? "4711" : std::string(request.id);
    std::string text;
    if (const auto error = errors.find(std::string(request.method)); error != errors.end()) {
      jsonrpc::append_raw_error(text, id_text, error->second);
    } else {
      jsonrpc::append_result(text, id_text, result(request));
    }
    return text;
  }
  std::string result(const jsonrpc::Request& request) {
    if (request.method == "eth_blockNumber") return quoted(head);
    const auto first = jsonrpc::string_value(jsonrpc::element(request.params, 0).value_or("")).value_or("");
    if (request.method == "eth_getBlockByNumber") {
      const auto number = first == "latest"      ? (latest ? latest() : head)
                          : first == "finalized" ? final_number
                                                 : eth::parse_quantity(first).value_or(0);
      return number > head ? "null" : R"({"number":)" + quoted(number) + "}";
    }
    if (request.method == "eth_sendRawTransaction") {
      sent.push_back(std::string(first));
      return '"' + std::string(first) + '"';
    }
    if (request.method == "eth_getTransactionCount") return quoted(sent.size());
    if (request.method == "eth_getTransactionByHash") {
      return std::ranges::find(sent, first) == sent.end() ? "null"
                                                          : R"({"hash":")" + std::string(first) + "\"}";
    }
    return '"' + id + '"';
  }
  std::string_view name() const override { return id; }

  upstream::testing::SimulatedTime& time;
  std::string id;
  std::uint64_t head = 100;
  std::function<std::uint64_t()> latest;  // answered instead of the head
  std::uint64_t final_number = 90;
  std::vector<std::string> sent;
  std::map<std::string, std::string> errors;  // by method
  std::optional<upstream::Failure> failure;
  bool fails_once = false;
  bool wrong_ids = false;
  std::size_t refuses_batches_above = SIZE_MAX;
  std::string refusal = R"({"code":-32005,"message":"batch limit"})";
  int refused = 0;
  std::map<std::string, int> asked;
};

struct SteadyReadsTest : ::testing::Test {
  SteadyReadsTest() {
    std::vector<std::unique_ptr<upstream::Backend>> members;
    for (const char* name : {"a", "b"}) {
      auto node = std::make_unique<UnevenNode>(time, name);
      nodes.push_back(node.get());
      members.push_back(std::move(node));
    }
    pool = std::make_unique<upstream::Pool>(
        time, std::move(members), upstream::PoolOptions{.watch_heads_every = 0s, .random = &random});
    reads = std::make_unique<SharedReads>(time, *pool, metrics, 0, pool.get());
  }
  std::string ask(std::vector<ForwardItem> items) {
    const auto text = std::make_shared<std::string>();
    const bool batch = items.size() > 1;
    forward(*pool, reads.get(), {.items = std::move(items), .batch = batch},
            [text](ForwardJob job) { *text = join_answers(job); });
    time.run_for(1s);
    return *text;
  }
  // The raw result, or the error.
  std::string ask(const std::string& method, const std::string& params = "[]") {
    const std::string text = ask({item("1", method, params)});
    const auto answer = jsonrpc::split_response(text);
    return answer ? std::string(answer->error.empty() ? answer->result : answer->error) : "nothing";
  }
  static ForwardItem item(std::string id, std::string method, std::string params = "[]") {
    return {.id = std::move(id), .method = std::move(method), .params = std::move(params), .answer = {}};
  }
  // Every call goes to the second node first.
  void prefer_second() { pool->disagreed(0); }

  upstream::testing::SimulatedTime time;
  SeededRandom random{3};
  NetworkMetrics metrics{"main", "1"};
  std::vector<UnevenNode*> nodes;
  std::unique_ptr<upstream::Pool> pool;
  std::unique_ptr<SharedReads> reads;
};

TEST_F(SteadyReadsTest, TheBlockNumberNeverGoesBack) {
  EXPECT_EQ(ask("eth_blockNumber"), quoted(100));
  nodes[1]->head = 98;
  prefer_second();
  EXPECT_EQ(ask("eth_blockNumber"), quoted(100));
  EXPECT_EQ(ask("eth_getBlockByNumber", R"(["latest",false])"), R"({"number":"0x64"})");
  nodes[1]->head = 101;
  pool->head_seen(1, 101);
  EXPECT_EQ(ask("eth_blockNumber"), quoted(101));
  EXPECT_EQ(ask("eth_blockNumber"), quoted(101));
}

// Heads are announced faster than nodes answer, so each answer is asked again, until one is another block.
TEST_F(SteadyReadsTest, AMistakeAfterAnswersThatHeadsOvertookIsNotTaken) {
  EXPECT_EQ(ask("eth_blockNumber"), quoted(100));
  int answers = 0;
  for (UnevenNode* node : nodes) {
    node->latest = [&]() -> std::uint64_t {
      if (++answers == 4) return 6;
      const std::uint64_t answer = nodes[0]->head;
      nodes[0]->head = nodes[1]->head = answer + 2;
      reads->steady().head_announced(answer + 2);
      return answer;
    };
  }
  EXPECT_EQ(ask("eth_getBlockByNumber", R"(["latest",false])"), R"({"number":)" + quoted(104) + "}");
  EXPECT_EQ(answers, 4);
  EXPECT_EQ(reads->steady().shown(), 106U);
  EXPECT_EQ(reads->steady().times_back(), 0U);
}

TEST_F(SteadyReadsTest, InABatchItDoesNotGoBackEither) {
  EXPECT_EQ(ask("eth_blockNumber"), quoted(100));
  nodes[0]->head = 97;  // its current state; the pool still believes it to be at 100
  const std::string both = ask({item("1", "eth_blockNumber"), item("2", "eth_gasPrice")});
  EXPECT_TRUE(both.contains(R"("id":1,"result":"0x64")")) << both;
}

TEST_F(SteadyReadsTest, WhenTheChainItselfWentBackItIsToldSo) {
  EXPECT_EQ(ask("eth_blockNumber"), quoted(100));
  nodes[0]->head = nodes[1]->head = 50;
  EXPECT_EQ(ask("eth_blockNumber"), quoted(50));
  EXPECT_EQ(reads->steady().shown(), 50U);
  nodes[0]->head = 51;
  EXPECT_EQ(ask("eth_blockNumber"), quoted(51));
}

TEST_F(SteadyReadsTest, NodesThatMoveInOppositeWaysShowNothingBelowWhatWasShown) {
  nodes[0]->head = 64;
  nodes[1]->head = 69;
  pool->head_seen(0, 64);
  pool->head_seen(1, 69);
  prefer_second();
  EXPECT_EQ(ask("eth_blockNumber"), quoted(69));
  nodes[0]->head = 73;
  nodes[1]->head = 65;
  EXPECT_EQ(ask("eth_getBlockByNumber", R"(["0x45",false])"), R"({"number":"0x45"})");
  EXPECT_EQ(ask("eth_blockNumber"), quoted(73));
  EXPECT_EQ(reads->steady().shown(), 73U);
}

TEST_F(SteadyReadsTest, WhatIsKeptGoesAtOnceWhenAnAnswerShowsAShorterChain) {
  SharedReads keeping(time, *pool, metrics, 1 << 20, pool.get());
  int looked = 0;
  keeping.on_shorter([&] { ++looked; });
  const auto get = [&](const std::string& method, const std::string& params) {
    std::string text;
    forward(*pool, &keeping, {.items = {item("1", method, params)}, .batch = false},
            [&text](ForwardJob job) { text = join_answers(job); });
    time.run_for(1s);
    return text;
  };
  const std::string of_block = R"(["0x50",false])";
  for (int i = 0; i < 3; ++i) get("eth_getBlockByNumber", of_block);  // the final block becomes known
  get("eth_blockNumber", "[]");
  const int asked = nodes[0]->asked["eth_getBlockByNumber"];
  EXPECT_TRUE(get("eth_getBlockByNumber", of_block).contains(R"("number":"0x50")"));
  ASSERT_EQ(nodes[0]->asked["eth_getBlockByNumber"], asked) << "from memory";
  nodes[0]->head = nodes[1]->head = 3;  // restarted with the same genesis
  EXPECT_TRUE(get("eth_blockNumber", "[]").contains(R"("0x3")"));
  EXPECT_TRUE(get("eth_getBlockByNumber", of_block).contains("null"));
  EXPECT_EQ(looked, 1);
}

TEST_F(SteadyReadsTest, AReorgToAShorterChainLowersTheMeasure) {
  EXPECT_EQ(ask("eth_blockNumber"), quoted(100));
  reads->steady().head_announced(99);  // on its way to 100, which a client has already seen
  EXPECT_EQ(reads->steady().shown(), 100U);
  reads->steady().chain_went_back(98);
  reads->steady().head_announced(99);
  EXPECT_EQ(reads->steady().shown(), 99U);
}

TEST_F(SteadyReadsTest, TheFinalizedBlockNeverGoesBack) {
  EXPECT_EQ(ask("eth_getBlockByNumber", R"(["finalized",false])"), R"({"number":"0x5a"})");
  nodes[1]->final_number = 80;
  prefer_second();
  EXPECT_EQ(ask("eth_getBlockByNumber", R"(["finalized",false])"), R"({"number":"0x5a"})");
  nodes[1]->final_number = 95;
  EXPECT_EQ(ask("eth_getBlockByNumber", R"(["finalized",false])"), R"({"number":"0x5f"})");
}

TEST_F(SteadyReadsTest, ABlockThatWasShownIsNotNull) {
  reads->steady().head_announced(100);
  nodes[0]->head = 99;  // the pool does not know it yet
  pool->head_seen(0, 100);
  EXPECT_EQ(ask("eth_getBlockByNumber", R"(["0x64",false])"), R"({"number":"0x64"})");
  EXPECT_EQ(ask("eth_getBlockByNumber", R"(["0x65",false])"), "null");  // no client was shown that block
}

TEST_F(SteadyReadsTest, WhatWasSentIsSeenByTheReadsThatCome) {
  EXPECT_EQ(ask("eth_sendRawTransaction", R"(["0xaa"])"), "\"0xaa\"");
  ASSERT_EQ(nodes[0]->sent.size(), 1U);
  prefer_second();
  EXPECT_EQ(ask("eth_getTransactionCount", R"(["0x1","pending"])"), "\"0x1\"");
  EXPECT_EQ(ask("eth_getTransactionByHash", R"(["0xaa"])"), R"({"hash":"0xaa"})");
  EXPECT_EQ(ask("eth_getTransactionByHash", R"(["0xbb"])"), "null");
  const std::string both =
      ask({item("1", "eth_getTransactionCount", R"(["0x1","pending"])"), item("2", "eth_gasPrice")});
  EXPECT_TRUE(both.contains(R"("id":1,"result":"0x1")")) << both;
}

TEST_F(SteadyReadsTest, TheNodeThatTookASendMayBeGone) {
  EXPECT_EQ(ask("eth_sendRawTransaction", R"(["0xaa"])"), "\"0xaa\"");
  nodes[0]->failure = upstream::Failure{.kind = upstream::FailureKind::connect, .message = "gone"};
  EXPECT_EQ(ask("eth_getTransactionCount", R"(["0x1","pending"])"), "\"0x0\"");
}

TEST_F(SteadyReadsTest, TheNodeThatTookASendIsAskedForTheNonceAgainWhenItFails) {
  EXPECT_EQ(ask("eth_sendRawTransaction", R"(["0xaa"])"), "\"0xaa\"");
  prefer_second();
  nodes[0]->failure = upstream::Failure{
      .kind = upstream::FailureKind::http_status, .http_status = 502, .message = "502", .sent = true};
  nodes[0]->fails_once = true;
  EXPECT_EQ(ask("eth_getTransactionCount", R"(["0x1","pending"])"), "\"0x1\"");
}

TEST_F(SteadyReadsTest, AReadThatANodeCannotAnswerIsGivenToAnother) {
  for (const char* error :
       {R"({"code":-32005,"message":"daily request count exceeded"})",
        R"({"code":429,"message":"slow down"})", R"({"code":-32016,"message":"over rate limit"})",
        R"({"code":-32000,"message":"missing trie node 12"})",
        R"({"code":-32000,"message":"header not found"})",
        R"({"code":-32601,"message":"the method does not exist"})"}) {
    nodes[0]->errors["eth_getBalance"] = error;
    EXPECT_EQ(ask("eth_getBalance", R"(["0x1","latest"])"), "\"b\"") << error;
    time.run_for(5s);
  }
}

TEST_F(SteadyReadsTest, AnErrorThatEveryNodeHasIsTheAnswer) {
  const std::string reverted = R"({"code":3,"message":"execution reverted"})";
  nodes[0]->errors["eth_call"] = reverted;
  EXPECT_EQ(ask("eth_call", R"([{},"latest"])"), reverted);
  EXPECT_EQ(nodes[1]->asked["eth_call"], 0);
  nodes[0]->errors["eth_getBalance"] = R"({"code":-32000,"message":"header not found"})";
  nodes[1]->errors["eth_getBalance"] = R"({"code":-32005,"message":"limited"})";
  EXPECT_EQ(ask("eth_getBalance", R"(["0x1","latest"])"), nodes[0]->errors["eth_getBalance"]);
}

TEST_F(SteadyReadsTest, AWriteIsNeverGivenToAnother) {
  nodes[0]->errors["eth_sendRawTransaction"] = R"({"code":-32005,"message":"limited"})";
  EXPECT_EQ(ask("eth_sendRawTransaction", R"(["0xaa"])"), nodes[0]->errors["eth_sendRawTransaction"]);
  EXPECT_EQ(nodes[1]->asked["eth_sendRawTransaction"], 0);
}

TEST_F(SteadyReadsTest, AnAnswerWithAWrongIdIsNotTaken) {
  nodes[0]->wrong_ids = true;
  EXPECT_EQ(ask("eth_getBalance", R"(["0x1","latest"])"), "\"b\"");
  EXPECT_TRUE(ask("eth_sendRawTransaction", R"(["0xaa"])").contains("-32603"));
}

TEST_F(SteadyReadsTest, AnElementOfABatchThatANodeCannotAnswerIsGivenToAnother) {
  nodes[0]->errors["eth_getBalance"] = R"({"code":-32000,"message":"missing trie node"})";
  EXPECT_EQ(ask({item("1", "eth_getBalance", R"(["0x1","latest"])"), item("2", "eth_gasPrice")}),
            R"([{"jsonrpc":"2.0","id":1,"result":"b"},{"jsonrpc":"2.0","id":2,"result":"a"}])");
}

TEST_F(SteadyReadsTest, ARefusedBatchIsAskedInSmallerParts) {
  nodes[0]->refuses_batches_above = 5;
  std::vector<ForwardItem> items;
  for (int i = 0; i < 20; ++i)
    items.push_back(item(std::to_string(i), "eth_gasPrice", "[" + std::to_string(i) + "]"));
  const std::string text = ask(std::move(items));
  EXPECT_EQ(jsonrpc::element_count(text), 20U);
  EXPECT_FALSE(text.contains("error")) << text;
  EXPECT_EQ(nodes[0]->refused, 3);  // 20, 10 and 10
  EXPECT_EQ(nodes[0]->asked["eth_gasPrice"], 20);
}

TEST_F(SteadyReadsTest, ABatchRefusedAsABatchWasNotCarriedOut) {
  nodes[0]->refuses_batches_above = 1;
  const std::string text =
      ask({item("1", "eth_sendRawTransaction", R"(["0xaa"])"), item("2", "eth_gasPrice")});
  EXPECT_EQ(nodes[0]->sent.size(), 1U);
  EXPECT_EQ(nodes[1]->sent.size(), 0U);
  EXPECT_FALSE(text.contains("error")) << text;
}

TEST_F(SteadyReadsTest, WhatMustNotBeRepeatedIsNotSentAgainAfterAnyOtherRefusal) {
  nodes[0]->refuses_batches_above = 1;
  nodes[0]->refusal = R"({"code":-32005,"message":"slow down"})";
  const std::string text =
      ask({item("1", "eth_sendRawTransaction", R"(["0xaa"])"), item("2", "eth_gasPrice")});
  EXPECT_EQ(nodes[0]->sent.size() + nodes[1]->sent.size(), 0U);
  EXPECT_EQ(text, R"([{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"slow down"}},)"
                  R"({"jsonrpc":"2.0","id":2,"result":"a"}])");
}

}  // namespace
}  // namespace fanfare::gateway
