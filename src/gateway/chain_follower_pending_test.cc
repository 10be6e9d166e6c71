// Pending transactions from a pool of nodes: a filter lives on one of them, and listeners are notified in
// order.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/chain_follower.h"
#include "jsonrpc/request.h"
#include "jsonrpc/response.h"
#include "upstream/pool.h"
#include "upstream/time_for_tests.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;
using upstream::testing::SimulatedTime;

std::string hash_of(char digit) {
  return "0x" + std::string(64, digit);
}

// Supports filters, and nothing else.
struct FilterNode final : upstream::Backend {
  FilterNode(SimulatedTime& its_time, std::string called) : time(its_time), id(std::move(called)) {}

  void call(std::string body, upstream::CallOptions, upstream::Done done) override {
    jsonrpc::Parser parser;
    const auto message = parser.parse(body);
    const jsonrpc::Request& request = message->requests.front();
    ++asked[std::string(request.method)];
    upstream::Result result = upstream::Reply{.body = answer(request), .member = 0};
    if (!reachable) result = std::unexpected(failure);
    time.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  }
  std::string answer(const jsonrpc::Request& request) {
    std::string text;
    if (reachable && request.method == "eth_newPendingTransactionFilter") {
      has_filter = true;
      jsonrpc::append_result(text, request.id, "\"0x1\"");
    } else if (reachable && has_filter && request.method == "eth_getFilterChanges") {
      jsonrpc::append_result(text, request.id, "[" + std::exchange(changes, "") + "]");
    } else {
      jsonrpc::append_error(text, request.id, jsonrpc::ErrorCode::internal, "filter not found");
    }
    return text;
  }
  std::string_view name() const override { return id; }

  SimulatedTime& time;
  std::string id;
  bool reachable = true;
  upstream::Failure failure{.kind = upstream::FailureKind::connect, .message = "refused", .sent = false};
  bool has_filter = false;
  std::string changes;
  std::map<std::string, int> asked;
};

struct ChainFollowerPending : ::testing::Test {
  ChainFollowerPending() {
    std::vector<std::unique_ptr<upstream::Backend>> members;
    for (const char* name : {"a", "b"}) {
      auto node = std::make_unique<FilterNode>(time, name);
      nodes.push_back(node.get());
      members.push_back(std::move(node));
    }
    pool = std::make_unique<upstream::Pool>(
        time, std::move(members), upstream::PoolOptions{.watch_heads_every = 0s, .random = &random});
    follower = std::make_unique<ChainFollower>(
        time, ChainFollower::Nodes{.backend = *pool, .pool = pool.get()}, eth::ChainSourceOptions{}, random,
        ChainFollower::Callbacks{
            .events = [this](const std::vector<eth::SourceEvent>& events) { take(events); }, .turn = {}});
  }
  void take(const std::vector<eth::SourceEvent>& events) {
    for (const eth::SourceEvent& event : events) {
      if (const auto* one = std::get_if<eth::PendingHash>(&event)) diary += one->hash.at(2);
      if (const auto* one = std::get_if<eth::PendingMissed>(&event))
        diary += "[" + std::string(one->why) + "]";
    }
  }
  void want(bool wanted) {
    follower->set_interest(0, {.pending = wanted ? eth::PendingWanted::hashes : eth::PendingWanted::nothing});
  }
  void await() {
    follower->await_listening(
        eth::SubscriptionType::new_pending_transactions,
        [this](const std::string& refusal) { diary += refusal.empty() ? "<yes>" : "<" + refusal + ">"; });
  }

  SeededRandom random{7};
  SimulatedTime time;
  std::vector<FilterNode*> nodes;
  std::unique_ptr<upstream::Pool> pool;
  std::unique_ptr<ChainFollower> follower;
  std::string diary;
};

TEST_F(ChainFollowerPending, AFilterIsAskedForWhereItLives) {
  follower->start();
  nodes[0]->reachable = false;
  want(true);
  await();
  time.run_for(100ms);
  EXPECT_EQ(diary, "<yes>");
  EXPECT_TRUE(nodes[1]->has_filter);
  // The preferred node is back, and does not know the filter.
  nodes[0]->reachable = true;
  nodes[1]->changes = '"' + hash_of('a') + '"';
  time.run_for(2s);
  EXPECT_EQ(diary, "<yes>a");
  EXPECT_EQ(nodes[0]->asked["eth_getFilterChanges"], 0);
}

TEST_F(ChainFollowerPending, AFilterWhoseNodeIsGoneIsGivenUpAndTheNextNodeHasOne) {
  follower->start();
  want(true);
  await();
  time.run_for(1s);
  ASSERT_TRUE(nodes[0]->has_filter);
  nodes[0]->reachable = false;
  time.run_for(10s);
  EXPECT_EQ(diary, "<yes>[the node with the filter is out of reach]");
  ASSERT_TRUE(nodes[1]->has_filter);
  nodes[1]->changes = '"' + hash_of('b') + '"';
  time.run_for(1s);
  await();
  time.run_for(1ms);
  EXPECT_EQ(diary, "<yes>[the node with the filter is out of reach]b<yes>");
}

TEST_F(ChainFollowerPending, OnlyAnAnswerThatMayHaveBeenGivenIsLost) {
  follower->start();
  want(true);
  await();
  time.run_for(100ms);
  ASSERT_EQ(diary, "<yes>");
  const auto fail_once = [this](upstream::Failure failure) {
    nodes[0]->failure = std::move(failure);
    nodes[0]->reachable = false;
    const int before = nodes[0]->asked["eth_getFilterChanges"];
    EXPECT_TRUE(time.run_until([&] { return nodes[0]->asked["eth_getFilterChanges"] > before; }, 10s, 1ms));
    nodes[0]->reachable = true;
    time.run_for(2s);
  };
  fail_once({.kind = upstream::FailureKind::http_status, .http_status = 429, .message = "", .sent = true});
  EXPECT_EQ(diary, "<yes>");
  fail_once({.kind = upstream::FailureKind::closed, .message = "", .sent = true});
  EXPECT_EQ(diary, "<yes>[an answer of the node was lost]");
}

TEST_F(ChainFollowerPending, BeforeItsStartAListenerWaitsAndNothingIsAsked) {
  want(true);
  await();
  time.run_for(14s);
  EXPECT_EQ(diary, "");
  await();
  time.run_for(2s);
  EXPECT_EQ(diary, "<no answer yet>");
  EXPECT_TRUE(nodes[0]->asked.empty());
  follower->start();
  time.run_for(100ms);
  EXPECT_EQ(diary, "<no answer yet><yes>");
}

}  // namespace
}  // namespace fanfare::gateway
