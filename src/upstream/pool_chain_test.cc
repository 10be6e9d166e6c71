// A pool uses a member only while it is known to be on the network's chain. Time is simulated.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "upstream/pool.h"
#include "upstream/time_for_tests.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::SimulatedTime;

const CallOptions kRead{.method = "eth_getBalance", .repeat = Repeat::always};
const CallOptions kWrite{.method = "eth_sendRawTransaction"};
const Failure kRefused{.kind = FailureKind::connect, .message = "refused"};
const Failure kLost{.kind = FailureKind::closed, .message = "dropped", .sent = true};
const Failure kBadGateway{
    .kind = FailureKind::http_status, .http_status = 502, .message = "502", .sent = true};
const std::string kOne = "0x" + std::string(63, '0') + "1";
const std::string kTwo = "0x" + std::string(63, '0') + "2";

// Every call takes a millisecond.
struct ChainNode final : Backend {
  ChainNode(SimulatedTime& its_time, std::string called) : time(its_time), id(std::move(called)) {}
  void call(std::string body, CallOptions options, Done done) override {
    asked.push_back(options.method);

    // It answers what is true when it answers.
    time.call_after(latency, [this, here = std::weak_ptr(alive), body = std::move(body),
                              done = std::move(done)]() mutable {
      if (here.expired() || silent) return;
      Result result = answer(body);
      if (!said_before.empty() && body.contains("eth_chainId")) {
        result = Reply{.body = std::exchange(said_before, {})};
      }
      if (result && !body.contains("eth_chainId")) {
        result->new_connection = all_are_new || std::exchange(next_is_new, false);
      }
      done(std::move(result));
    });
  }
  Result answer(const std::string& body) const {
    if (failure) return std::unexpected(*failure);
    if (body.contains("eth_chainId")) {
      if (!knows_chain_id)
        return Reply{.body = R"({"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no"}})"};
      return Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":"0x)" + std::to_string(chain_id) + "\"}"};
    }
    if (body.contains("\"0x0\"")) {
      if (loses_genesis) return std::unexpected(kLost);
      if (genesis.empty()) return Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":null})"};
      return Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":{"number":"0x0","hash":")" + genesis + "\"}}"};
    }
    if (body.contains("eth_blockNumber")) return Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":"0x5"})"};
    return Reply{.body = "[\"" + id + "\"]"};
  }
  std::optional<std::uint64_t> connection() const override { return its_connection; }
  void on_reconnect(std::function<void()> reconnected) override { when_reconnected = std::move(reconnected); }
  std::string_view name() const override { return id; }
  std::size_t count(std::string_view method) const {
    return static_cast<std::size_t>(std::ranges::count(asked, method));
  }

  SimulatedTime& time;
  std::string id;
  std::uint64_t chain_id = 1;
  bool knows_chain_id = true;
  std::string genesis = kOne;
  std::optional<Failure> failure;
  bool silent = false;
  Duration latency = 1ms;
  std::string said_before;     // instead of the next answer to eth_chainId
  bool loses_genesis = false;  // the question for it
  bool next_is_new = false;    // the next answer comes over a new connection
  bool all_are_new = false;    // every one does
  std::optional<std::uint64_t> its_connection;
  std::function<void()> when_reconnected;
  std::vector<std::string> asked;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

struct Changes final : Observer {
  void call_finished(const CallReport&) override {}
  void chain_changed(std::string_view endpoint, bool right) override {
    told.push_back(std::string(endpoint) + (right ? " right" : " wrong"));
  }
  std::vector<std::string> told;
};

struct PoolChainTest : ::testing::Test {
  void make(std::size_t count, ChainCheckOptions chain = {.chain_id = 1}) {
    chain.enabled = true;
    chain.learnt = [this](std::uint64_t chain_id) { learnt.push_back(chain_id); };
    std::vector<std::unique_ptr<Backend>> members;
    for (std::size_t i = 0; i < count; ++i) {
      auto node = std::make_unique<ChainNode>(time, std::string(1, static_cast<char>('a' + i)));
      nodes.push_back(node.get());
      members.push_back(std::move(node));
    }
    pool = std::make_unique<Pool>(
        time, std::move(members),
        PoolOptions{.watch_heads_every = 0s, .chain = std::move(chain), .random = &random}, &changes);
  }
  // What the caller gets, and within a second: nobody waits for a node that cannot be used.
  std::string answer(const CallOptions& options = kRead, Duration most = 1s) {
    const auto end = std::make_shared<std::optional<Result>>();
    pool->call("{}", options, [end](Result result) { *end = std::move(result); });
    EXPECT_FALSE(*end) << "ended inside call()";
    if (!time.run_until([&] { return end->has_value(); }, most, 1ms)) return "nothing in time";
    return **end ? (**end)->body : std::string(to_string((*end)->error().kind));
  }

  SimulatedTime time;
  SeededRandom random{1};
  Changes changes;
  std::vector<std::uint64_t> learnt;
  std::vector<ChainNode*> nodes;
  std::unique_ptr<Pool> pool;
};

TEST_F(PoolChainTest, ANodeOfAnotherChainIsNeverUsed) {
  make(2);
  nodes[0]->chain_id = 2;
  EXPECT_EQ(answer(), R"(["b"])");
  EXPECT_EQ(answer(kWrite), R"(["b"])");
  nodes[1]->failure = kRefused;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(answer(), "connect");
  EXPECT_EQ(answer(kWrite), "connect");
  EXPECT_EQ(nodes[0]->count("eth_getBalance") + nodes[0]->count("eth_sendRawTransaction"), 0U);
  EXPECT_EQ(changes.told, std::vector<std::string>{"a wrong"});  // once
  EXPECT_EQ(pool->status()[0].wrong_chain, "the node is on chain 2, the network is chain 1");
  EXPECT_FALSE(pool->is_trusted(0));
}

TEST_F(PoolChainTest, WithOnlyWrongNodesCallsFailAtOnce) {
  make(2);
  nodes[0]->chain_id = nodes[1]->chain_id = 2;
  EXPECT_EQ(answer(), "wrong_chain");
  EXPECT_EQ(answer(kWrite), "wrong_chain");
  EXPECT_EQ(answer(), "wrong_chain");
}

TEST_F(PoolChainTest, AWrongNodeThatComesBackToTheChainIsUsedAgain) {
  make(1);
  nodes[0]->chain_id = 2;
  EXPECT_EQ(answer(), "wrong_chain");
  nodes[0]->chain_id = 1;
  time.run_for(ChainCheckOptions{}.retry_max + 10ms);
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(changes.told, (std::vector<std::string>{"a wrong", "a right"}));
  EXPECT_TRUE(pool->is_trusted(0));
}

TEST_F(PoolChainTest, ACallWaitsForTheFirstCheck) {
  make(1);
  pool->call("{}", kRead, [](const Result&) {});
  EXPECT_EQ(nodes[0]->count("eth_getBalance"), 0U);
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(nodes[0]->count("eth_chainId"), 1U);
}

TEST_F(PoolChainTest, ANodeThatDoesNotSayItsChainIsNotUsedWhereOneIsConfigured) {
  make(1);
  nodes[0]->knows_chain_id = false;
  EXPECT_EQ(answer(), "bad_reply");
  make(1, {});
  nodes[1]->knows_chain_id = false;
  EXPECT_EQ(answer(), R"(["a"])");
}

TEST_F(PoolChainTest, WithoutAConfiguredIdThePreferredNodeDecides) {
  make(2, {});
  nodes[0]->chain_id = 5;
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(learnt, std::vector<std::uint64_t>{5});
  nodes[0]->failure = kRefused;
  EXPECT_EQ(answer(), "connect");
  EXPECT_EQ(nodes[1]->count("eth_getBalance"), 0U);
}

TEST_F(PoolChainTest, WithoutAConfiguredIdAHangingNodeIsWaitedForOnlySoLong) {
  make(2, {});
  nodes[0]->silent = true;
  nodes[1]->chain_id = 5;
  EXPECT_EQ(answer(kRead, ChainCheckOptions{}.preferred_wait + 1s), R"(["b"])");
}

TEST_F(PoolChainTest, AReusedIdIsFoundOutByTheGenesis) {
  make(2);
  nodes[1]->genesis = kTwo;
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->failure = kRefused;
  EXPECT_EQ(answer(), "connect");
  EXPECT_EQ(pool->status()[1].wrong_chain, "the node is on chain 1 with the genesis " + kTwo +
                                               ", the network is chain 1 with the genesis " + kOne);
  // It is held to what it has shown: a genesis that cannot be had once changes nothing.
  nodes[1]->genesis.clear();
  time.run_for(1min);
  EXPECT_EQ(answer(), "connect");
}

TEST_F(PoolChainTest, APrunedNodeIsUsed) {
  make(2);
  nodes[1]->genesis.clear();
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->failure = kRefused;
  EXPECT_EQ(answer(), R"(["b"])");
}

TEST_F(PoolChainTest, TheOnlyNodeRestartedWithAnotherGenesisIsFollowed) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->failure = kRefused;
  EXPECT_EQ(answer(), "connect");
  nodes[0]->failure.reset();
  nodes[0]->genesis = kTwo;
  EXPECT_EQ(answer(), R"(["a"])");
}

TEST_F(PoolChainTest, ANodeRestartedAsAnotherChainIsNotUsedAfterItsFailure) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->failure = kRefused;
  EXPECT_EQ(answer(), R"(["b"])");
  nodes[0]->failure.reset();
  nodes[0]->chain_id = 2;
  nodes[1]->failure = kRefused;
  const std::size_t before = nodes[0]->count("eth_getBalance");
  EXPECT_EQ(answer(), "wrong_chain");  // what was said last; the message has both reasons
  EXPECT_EQ(answer(kWrite), "connect");
  time.run_for(10min);
  EXPECT_EQ(answer(), "connect");
  EXPECT_EQ(nodes[0]->count("eth_getBalance"), before);
  EXPECT_EQ(nodes[0]->count("eth_sendRawTransaction"), 0U);
}

TEST_F(PoolChainTest, WhatMustNotBeRepeatedIsSentOnlyAfterACheckOfItsOwn) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  // Moved to another chain without any sign of it.
  nodes[0]->chain_id = 2;
  EXPECT_EQ(answer(kWrite), R"(["b"])");
  EXPECT_EQ(nodes[0]->count("eth_sendRawTransaction"), 0U);
  // A check that is under way began before the call: it is not enough.
  nodes[1]->asked.clear();
  pool->verify(1, [](const Failure*) {});
  EXPECT_EQ(answer(kWrite), R"(["b"])");
  EXPECT_EQ(nodes[1]->count("eth_chainId"), 2U);
}

TEST_F(PoolChainTest, ChecksOfManyWritesAreShared) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->asked.clear();
  int done = 0;
  for (int i = 0; i < 100; ++i)
    pool->call("{}", kWrite, [&](const Result& result) { done += result ? 1 : 0; });
  time.run_for(1s);
  EXPECT_EQ(done, 100);
  EXPECT_LE(nodes[0]->count("eth_chainId"), 2U);
}

TEST_F(PoolChainTest, ANodeWhoseReconnectsAreNoticedIsCheckedAfterEachOfThem) {
  make(2);
  nodes[0]->its_connection = 1;
  EXPECT_EQ(answer(), R"(["a"])");
  const std::size_t checks = nodes[0]->count("eth_chainId");
  EXPECT_EQ(answer(kWrite), R"(["a"])");  // needs none of its own
  EXPECT_EQ(nodes[0]->count("eth_chainId"), checks);
  nodes[0]->its_connection = 2;
  nodes[0]->chain_id = 2;
  EXPECT_FALSE(pool->is_trusted(0));  // from this moment on
  nodes[0]->when_reconnected();
  EXPECT_EQ(answer(), R"(["b"])");
  EXPECT_EQ(answer(kWrite), R"(["b"])");
  EXPECT_EQ(nodes[0]->count("eth_sendRawTransaction"), 1U);
  EXPECT_EQ(changes.told, std::vector<std::string>{"a wrong"});
}

TEST_F(PoolChainTest, ACheckThatAReconnectOvertookIsMadeAgain) {
  make(1);
  nodes[0]->its_connection = 1;
  pool->call("{}", kRead, [](const Result&) {});
  nodes[0]->its_connection = 2;  // while the first check is under way
  nodes[0]->when_reconnected();
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(nodes[0]->count("eth_chainId"), 2U);
}

TEST_F(PoolChainTest, ANodeMovedInSilenceIsFoundByThePeriodicCheck) {
  make(2, {.chain_id = 1, .every = 30s});
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->chain_id = 2;
  EXPECT_EQ(answer(), R"(["a"])");
  time.run_for(30s);
  EXPECT_EQ(answer(), R"(["b"])");
}

TEST_F(PoolChainTest, WithoutAnIntervalThereAreNoPeriodicChecks) {
  make(1, {.chain_id = 1, .every = 0s});
  EXPECT_EQ(answer(), R"(["a"])");
  time.run_for(1h);
  EXPECT_EQ(nodes[0]->count("eth_chainId"), 1U);
}

TEST_F(PoolChainTest, AClientsQuestionForTheChainIdIsACheckToo) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->chain_id = 2;
  std::optional<Result> end;
  pool->call(R"({"jsonrpc":"2.0","id":7,"method":"eth_chainId"})",
             {.method = "eth_chainId", .repeat = Repeat::always, .tells_chain_id = true},
             [&](Result result) { end = std::move(result); });
  time.run_for(1s);
  ASSERT_TRUE(end && *end);
  EXPECT_EQ((*end)->member, 1U);
  EXPECT_EQ(answer(), R"(["b"])");
}

TEST_F(PoolChainTest, AnotherFailureOrAHeadFarBackBringsACheckForward) {
  make(2, {.chain_id = 1, .every = 0s});
  EXPECT_EQ(answer(), R"(["a"])");
  time.run_for(5s);
  nodes[0]->failure = kBadGateway;
  EXPECT_EQ(answer(), R"(["b"])");
  nodes[0]->failure.reset();
  time.run_for(5s);
  EXPECT_EQ(answer(), R"(["a"])");
  const std::size_t before = nodes[0]->count("eth_chainId");
  pool->head_seen(0, 100);
  pool->head_seen(0, 98);
  EXPECT_EQ(nodes[0]->count("eth_chainId"), before);
  nodes[0]->chain_id = 2;
  pool->head_seen(0, 10);
  EXPECT_EQ(nodes[0]->count("eth_chainId"), before + 1);
  time.run_for(10ms);
  EXPECT_EQ(answer(), R"(["b"])");
}

TEST_F(PoolChainTest, AFailedPeriodicCheckDoesNotTakeANodeOut) {
  make(1, {.chain_id = 1, .every = 10s});
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->failure = Failure{.kind = FailureKind::timeout, .message = "late", .sent = true};
  time.run_for(10s);
  nodes[0]->failure.reset();
  const std::size_t before = nodes[0]->count("eth_chainId");
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(nodes[0]->count("eth_chainId"), before);
}

TEST_F(PoolChainTest, TheHeadOfAWrongNodeIsNobodysBest) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[1]->chain_id = 2;
  pool->verify(1, [](const Failure* problem) { ASSERT_NE(problem, nullptr); });
  time.run_for(10ms);
  pool->head_seen(0, 10);
  pool->head_seen(1, 1000);
  EXPECT_EQ(answer(), R"(["a"])");
}

// --- answers over new connections --------------------------------------------------------------------

TEST_F(PoolChainTest, AReplacedNodesFirstAnswerIsNotUsed) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  EXPECT_EQ(answer(), R"(["b"])");
  EXPECT_EQ(changes.told, std::vector<std::string>{"a wrong"});
  nodes[1]->chain_id = 2;
  nodes[1]->next_is_new = true;
  EXPECT_EQ(answer(), "wrong_chain");
}

TEST_F(PoolChainTest, ABurstOfNewConnectionsCostsOneCheckAndKeptOnesNone) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  const std::size_t before = nodes[0]->count("eth_chainId");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(nodes[0]->count("eth_chainId"), before);

  nodes[0]->all_are_new = true;
  int answered = 0;
  const Instant begun = time.now();
  for (int i = 0; i < 50; ++i) {
    pool->call("{}", kRead, [&](const Result& result) { answered += result.has_value() ? 1 : 0; });
  }
  // All come within the same millisecond, and the check takes another one.
  time.run_for(1ms);
  nodes[0]->all_are_new = false;
  EXPECT_EQ(answered, 0);
  EXPECT_TRUE(time.run_until([&] { return answered == 50; }, 10ms, 1ms));
  EXPECT_LE(time.now() - begun, Duration(3ms));
  EXPECT_LE(nodes[0]->count("eth_chainId"), before + 2);
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_LE(nodes[0]->count("eth_chainId"), before + 2);
}

TEST_F(PoolChainTest, WhatComesOverAConnectionThatIsNotProvenYetWaitsToo) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  std::vector<std::string> ends;
  const auto end = [&](const Result& result) {
    ends.push_back(result ? result->body : std::string(to_string(result.error().kind)));
  };
  pool->call("{}", kRead, end);
  time.call_after(500us, [&] { pool->call("{}", kRead, end); });  // over the same connection, a little later
  time.run_for(10ms);
  EXPECT_EQ(ends, (std::vector<std::string>{"wrong_chain", "wrong_chain"}));
}

TEST_F(PoolChainTest, WhatIsUnderWayWhenANodeIsFoundOutIsNotUsed) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->latency = 5ms;
  std::string end;
  pool->call("{}", kRead, [&](const Result& result) {
    end = result ? result->body : std::string(to_string(result.error().kind));
  });
  time.run_for(1ms);
  nodes[0]->latency = 1ms;
  nodes[0]->chain_id = 2;
  pool->verify(0, [](const Failure*) {});
  time.run_for(10ms);
  EXPECT_EQ(end, R"(["b"])");
}

TEST_F(PoolChainTest, WhatItSaidOfAnotherChainCountsWhateverBecameOfItSince) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  nodes[0]->loses_genesis = true;
  std::string end;
  pool->call("{}", kRead, [&](const Result& result) { end = result ? result->body : "failed"; });
  time.run_for(2ms);  // its answer, and then the check's
  nodes[0]->chain_id = 1;
  time.run_for(10ms);
  EXPECT_EQ(end, R"(["b"])");
}

TEST_F(PoolChainTest, ACheckThatBeganBeforeTheConnectionProvesNothing) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  // Asked while the old node stood there, and answered by it.
  pool->verify(0, [](const Failure*) {});
  nodes[0]->said_before = nodes[0]->answer(R"({"method":"eth_chainId"})")->body;
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  std::string end;
  nodes[0]->latency = 500us;
  pool->call("{}", kRead, [&](const Result& result) {
    end = result ? result->body : std::string(to_string(result.error().kind));
  });
  time.run_for(20ms);
  EXPECT_EQ(end, "wrong_chain");
}

TEST_F(PoolChainTest, AQuestionForTheHeadMayOpenTheConnectionAsWell) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  pool->head_stalled(1, [] {});
  time.run_for(10ms);
  EXPECT_EQ(changes.told, std::vector<std::string>{"a wrong"});
}

TEST_F(PoolChainTest, ANodeThatDoesNotSayItsChainAgainKeepsNobodyForever) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  std::string end;
  pool->call("{}", kRead, [&](const Result& result) { end = result ? result->body : "failed"; });
  nodes[0]->next_is_new = true;
  time.run_for(1ms);
  nodes[0]->silent = true;
  pool->call("{}", {.timeout = 2s, .repeat = Repeat::always}, [](const Result&) {});
  EXPECT_TRUE(time.run_until([&] { return !end.empty(); }, 31s));
}

// It may have been replaced after it said its chain id.
TEST_F(PoolChainTest, ACheckOfWhichHalfIsLostIsMadeAgain) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->said_before = nodes[0]->answer(R"({"method":"eth_chainId"})")->body;
  nodes[0]->chain_id = 2;
  nodes[0]->loses_genesis = true;
  EXPECT_EQ(answer(kWrite), "wrong_chain");
  EXPECT_EQ(nodes[0]->count("eth_sendRawTransaction"), 0U);
}

// One that answers everything else is judged by its chain id, as a pruned one is.
TEST_F(PoolChainTest, ANodeThatAlwaysFailsForBlockZeroIsUsed) {
  make(1);
  nodes[0]->loses_genesis = true;
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(answer(kWrite), R"(["a"])");
}

TEST_F(PoolChainTest, WhatMustNotBeRepeatedIsCheckedBeforeAndNotAfter) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  const std::size_t before = nodes[0]->count("eth_chainId");
  nodes[0]->all_are_new = true;  // a write always has a connection of its own
  EXPECT_EQ(answer(kWrite), R"(["a"])");
  EXPECT_EQ(nodes[0]->count("eth_chainId"), before + 1);
}

TEST_F(PoolChainTest, EndsTheCallsThatWaitForACheck) {
  make(1);
  nodes[0]->silent = true;
  std::optional<Result> end;
  pool->call("{}", kRead, [&](Result result) { end = std::move(result); });
  pool.reset();
  ASSERT_TRUE(end && !*end);
  EXPECT_EQ(end->error().kind, FailureKind::shutdown);
}

TEST_F(PoolChainTest, MayBeDestroyedByTheEndOfACheck) {
  make(2);
  nodes[0]->chain_id = nodes[1]->chain_id = 2;
  int ends = 0;
  for (int i = 0; i < 3; ++i) {
    pool->call("{}", kRead, [&](const Result&) {
      ++ends;
      pool.reset();
    });
  }
  time.run_for(1s);
  EXPECT_EQ(ends, 3);
}

}  // namespace
}  // namespace fanfare::upstream
