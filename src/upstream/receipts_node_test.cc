#include "upstream/receipts_node.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jsonrpc/request.h"
#include "jsonrpc/response.h"
#include "upstream/time_for_tests.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::SimulatedTime;

// Has the block "0xb" with the given transactions, and no eth_getBlockReceipts.
struct Node final : Backend {
  explicit Node(SimulatedTime& on) : time(on) {}
  ~Node() override {
    for (auto& [due, end] : held) end(std::unexpected(Failure{.kind = FailureKind::shutdown}));
  }
  void call(std::string body, CallOptions options, Done done) override {
    jsonrpc::Parser parser;
    const jsonrpc::Request request = parser.parse(body)->requests.front();
    const std::string method(request.method);
    ++asked[method];
    under_way_most = std::max(under_way_most, ++under_way);
    std::string reply;
    if (method == "eth_getBlockReceipts" && !has_method) {
      jsonrpc::append_error(reply, request.id, error_code, error_message);
    } else {
      jsonrpc::append_result(reply, request.id, result_of(method, std::string(request.params)));
    }
    const bool fails = failing > 0 && method == "eth_getTransactionReceipt" && asked[method] % failing == 0;
    if (held_method == method) {
      held.emplace_back(options.timeout.value_or(0s), std::move(done));
      return;
    }
    time.call_after(10ms, [this, fails, reply = std::move(reply), done = std::move(done)]() mutable {
      --under_way;
      if (fails) return done(std::unexpected(Failure{.kind = FailureKind::closed, .message = "dropped"}));
      done(Reply{.body = std::move(reply)});
    });
  }
  std::string result_of(const std::string& method, const std::string& params) const {
    if (method == "eth_getBlockReceipts") return R"(["all at once"])";
    if (method == "eth_getBlockByHash" && !block_json.empty()) return block_json;
    if (method == "eth_getBlockByHash") {
      if (params != R"(["0xb",false])") return "null";
      std::string block = R"({"transactions":[)";
      for (std::size_t i = 0; i < transactions; ++i)
        block += (i > 0 ? ",\"0x" : "\"0x") + std::to_string(i) + '"';
      return block + "]}";
    }
    return R"({"of":)" + params + "}";
  }
  std::string_view name() const override { return "node"; }

  SimulatedTime& time;
  std::size_t transactions = 3;
  std::string block_json;  // replaces that block
  bool has_method = false;
  jsonrpc::ErrorCode error_code = jsonrpc::ErrorCode::method_not_found;
  std::string error_message = "Method not found";
  std::uint64_t failing = 0;  // every n-th receipt request fails
  std::string held_method;
  std::vector<std::pair<Duration, Done>> held;
  std::map<std::string, std::uint64_t> asked;
  int under_way = 0, under_way_most = 0;
};

struct ReceiptsEndpointTest : ::testing::Test {
  ReceiptsEndpointTest() {
    auto owned = std::make_unique<Node>(time);
    node = owned.get();
    endpoint = std::make_unique<ReceiptsNode>(time, std::move(owned), ReceiptsOptions{.at_once_max = 4});
  }
  // The answer's text; "failed: .." for a failure, "" for none.
  std::string ask(const std::string& params = R"(["0xb"])", bool composable = true) {
    auto text = std::make_shared<std::string>();
    endpoint->call(R"({"jsonrpc":"2.0","id":7,"method":"eth_getBlockReceipts","params":)" + params + "}",
                   {.method = "eth_getBlockReceipts", .composable = composable}, [text](Result result) {
                     *text = result ? result->body : "failed: " + result.error().message;
                   });
    EXPECT_EQ(*text, "");  // never before call() has returned
    time.run_for(20s);
    return *text;
  }

  SimulatedTime time;
  Node* node = nullptr;
  std::unique_ptr<ReceiptsNode> endpoint;
};

const std::string kAllThree =
    R"({"jsonrpc":"2.0","id":7,"result":[{"of":["0x0"]},{"of":["0x1"]},{"of":["0x2"]}]})";

TEST_F(ReceiptsEndpointTest, ANodeThatHasTheMethodIsAskedForNothingElse) {
  node->has_method = true;
  EXPECT_EQ(ask(), R"({"jsonrpc":"2.0","id":7,"result":["all at once"]})");
  EXPECT_EQ(node->asked.size(), 1U);
}

TEST_F(ReceiptsEndpointTest, OneThatLacksItIsAskedForEachReceiptAndItIsRemembered) {
  EXPECT_EQ(ask(), kAllThree);
  EXPECT_EQ(ask(), kAllThree);
  EXPECT_EQ(node->asked["eth_getBlockReceipts"], 1U);
  EXPECT_EQ(node->asked["eth_getTransactionReceipt"], 6U);
  // Only for a while: the node may be upgraded.
  node->has_method = true;
  time.run_for(10min);
  EXPECT_EQ(ask(), R"({"jsonrpc":"2.0","id":7,"result":["all at once"]})");
}

TEST_F(ReceiptsEndpointTest, SaysItInManyWays) {
  const std::pair<int, std::string> all[] = {
      {-32601, ""},
      {-32004, "Method eth_getBlockReceipts is not supported"},
      {-32000, "the method eth_getBlockReceipts does not exist/is not available"},
      {-32600, "Unsupported method: eth_getBlockReceipts"}};
  for (const auto& [code, message] : all) {
    node->error_code = static_cast<jsonrpc::ErrorCode>(code);
    node->error_message = message;
    EXPECT_EQ(ask(), kAllThree) << message;
    time.run_for(10min);
  }
  // Any other error is the answer.
  node->error_code = static_cast<jsonrpc::ErrorCode>(-32000);
  node->error_message = "header not found";
  EXPECT_NE(ask().find("header not found"), std::string::npos);
}

TEST_F(ReceiptsEndpointTest, WhatClientsAskForIsTheNodesToAnswer) {
  EXPECT_NE(ask(R"(["0xb"])", false).find("-32601"), std::string::npos);
  EXPECT_EQ(node->asked.size(), 1U);
}

TEST_F(ReceiptsEndpointTest, SoManyAtOnceAndNoMore) {
  node->transactions = 100;
  const std::string all = ask();
  EXPECT_NE(all.find(R"({"of":["0x99"]})"), std::string::npos);
  EXPECT_EQ(node->under_way_most, 4);
}

TEST_F(ReceiptsEndpointTest, ABlockWithoutTransactionsHasNoReceiptsAndAnUnknownOneNoAnswer) {
  node->transactions = 0;
  EXPECT_EQ(ask(), R"({"jsonrpc":"2.0","id":7,"result":[]})");
  EXPECT_EQ(ask(R"(["0xc"])"), R"({"jsonrpc":"2.0","id":7,"result":null})");
}

TEST_F(ReceiptsEndpointTest, ABlockThatDoesNotNameItsTransactionsIsNotOneWithoutAny) {
  for (const char* block :
       {R"({"number":"0x1"})", R"({"transactions":null})", R"({"transactions":["0x1",{}]})"}) {
    node->block_json = block;
    EXPECT_NE(ask().find("nor the block's transactions"), std::string::npos) << block;
  }
  EXPECT_EQ(node->asked["eth_getTransactionReceipt"], 0U);
}

TEST_F(ReceiptsEndpointTest, WhatFailsIsNotAskedForTwice) {
  node->transactions = 40;
  node->failing = 10;
  int calls = 0;
  while (ask() == "failed: dropped" && calls < 20) ++calls;
  EXPECT_GT(calls, 0);
  // Each receipt once, and the failed ones once more.
  EXPECT_EQ(node->asked["eth_getTransactionReceipt"], 40U + 40U / 10);
}

TEST_F(ReceiptsEndpointTest, CallsUnderWayEndWithIt) {
  node->held_method = "eth_getTransactionReceipt";
  std::vector<std::string> ends;
  endpoint->call(R"({"jsonrpc":"2.0","id":7,"method":"eth_getBlockReceipts","params":["0xb"]})",
                 {.composable = true}, [&ends](const Result& result) {
                   ends.emplace_back(result ? "answered" : to_string(result.error().kind));
                 });
  time.run_for(1s);
  ASSERT_EQ(node->held.size(), 3U);
  EXPECT_LE(node->held[0].first, 30s);  // the rest of the whole call's timeout
  endpoint.reset();
  EXPECT_EQ(ends, std::vector<std::string>{"shutdown"});
}

}  // namespace
}  // namespace fanfare::upstream
