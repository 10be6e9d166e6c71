// A node that is replaced at its address is detected only by its connections. Time is simulated.

#include "upstream/pool_chain_world_for_tests.h"

namespace fanfare::upstream {
namespace {

using namespace testing;
struct PoolConnectionsTest : PoolChainTest {};

TEST_F(PoolConnectionsTest, AReplacedNodesFirstAnswerIsNotUsed) {
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

TEST_F(PoolConnectionsTest, ABurstOfNewConnectionsCostsOneCheckAndKeptOnesNone) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  const std::size_t before = nodes[0]->count("eth_chainId");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(nodes[0]->count("eth_chainId"), before);

  nodes[0]->all_are_new = true;
  int answered = 0;
  const Instant begun = time.now();
  for (int i = 0; i < 50; ++i) {
    pool->call("{}", kChainRead, [&](const Result& result) { answered += result.has_value() ? 1 : 0; });
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

TEST_F(PoolConnectionsTest, WhatComesOverAConnectionThatIsNotProvenYetWaitsToo) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  std::vector<std::string> ends;
  const auto end = [&](const Result& result) {
    ends.push_back(result ? result->body : std::string(to_string(result.error().kind)));
  };
  pool->call("{}", kChainRead, end);
  time.call_after(500us,
                  [&] { pool->call("{}", kChainRead, end); });  // over the same connection, a little later
  time.run_for(10ms);
  EXPECT_EQ(ends, (std::vector<std::string>{"wrong_chain", "wrong_chain"}));
}

TEST_F(PoolConnectionsTest, WhatIsUnderWayWhenANodeIsFoundOutIsNotUsed) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->latency = 5ms;
  std::string end;
  pool->call("{}", kChainRead, [&](const Result& result) {
    end = result ? result->body : std::string(to_string(result.error().kind));
  });
  time.run_for(1ms);
  nodes[0]->latency = 1ms;
  nodes[0]->chain_id = 2;
  pool->verify(0, [](const Failure*) {});
  time.run_for(10ms);
  EXPECT_EQ(end, R"(["b"])");
}

TEST_F(PoolConnectionsTest, ACallThatWaitsForANodesHeadIsNotSentToAnotherChain) {
  for (const CallOptions& kind : {kChainRead, kChainWrite}) {
    nodes.clear();
    make(1);
    EXPECT_EQ(answer(), R"(["a"])");
    nodes[0]->latency = 5ms;
    CallOptions options = kind;
    options.head_min = 5;
    std::string end;
    pool->call("{}", options, [&](const Result& result) {
      end = result ? result->body : std::string(to_string(result.error().kind));
    });
    time.run_until([&] { return nodes[0]->count("eth_blockNumber") > 0; }, 10ms, 1ms);
    nodes[0]->latency = 1ms;
    nodes[0]->chain_id = 2;
    pool->verify(0, [](const Failure*) {});
    const std::size_t before = nodes[0]->count(kind.method);
    EXPECT_TRUE(time.run_until([&] { return !end.empty(); }, 1s, 1ms));
    EXPECT_EQ(end, "wrong_chain");
    EXPECT_EQ(nodes[0]->count(kind.method), before);
  }
}

TEST_F(PoolConnectionsTest, WhatItSaidOfAnotherChainCountsWhateverBecameOfItSince) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  nodes[0]->loses_genesis = true;
  std::string end;
  pool->call("{}", kChainRead, [&](const Result& result) { end = result ? result->body : "failed"; });
  time.run_for(2ms);  // its answer, and then the check's
  nodes[0]->chain_id = 1;
  time.run_for(10ms);
  EXPECT_EQ(end, R"(["b"])");
}

TEST_F(PoolConnectionsTest, ACheckThatBeganBeforeTheConnectionProvesNothing) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  // Requested while the old node was there, and answered by it.
  pool->verify(0, [](const Failure*) {});
  nodes[0]->said_before = nodes[0]->answer(R"({"method":"eth_chainId"})")->body;
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  std::string end;
  nodes[0]->latency = 500us;
  pool->call("{}", kChainRead, [&](const Result& result) {
    end = result ? result->body : std::string(to_string(result.error().kind));
  });
  time.run_for(20ms);
  EXPECT_EQ(end, "wrong_chain");
}

TEST_F(PoolConnectionsTest, AConnectionThatACheckOpenedIsNotProvenByIt) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  // The old node answers the first half of the check. The second half opens a connection to the new node,
  // which has the same block 0.
  nodes[0]->said_before = nodes[0]->answer(R"({"method":"eth_chainId"})")->body;
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  pool->verify(0, [](const Failure*) {});
  time.run_for(10ms);
  EXPECT_EQ(answer(), "wrong_chain");
}

TEST_F(PoolConnectionsTest, TheHeadOfANodeThatIsNotProvenDoesNotCount) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  bool found_better = false;
  pool->head_stalled(1, [&] { found_better = true; });
  time.run_for(10ms);
  EXPECT_FALSE(found_better);
}

TEST_F(PoolConnectionsTest, AQuestionForTheHeadMayOpenTheConnectionAsWell) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->chain_id = 2;
  nodes[0]->next_is_new = true;
  pool->head_stalled(1, [] {});
  time.run_for(10ms);
  EXPECT_EQ(changes.told, std::vector<std::string>{"a wrong"});
}

TEST_F(PoolConnectionsTest, ANodeThatDoesNotSayItsChainAgainKeepsNobodyForever) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  std::string end;
  pool->call("{}", kChainRead, [&](const Result& result) { end = result ? result->body : "failed"; });
  nodes[0]->next_is_new = true;
  time.run_for(1ms);
  nodes[0]->silent = true;
  pool->call("{}", {.timeout = 2s, .repeat = Repeat::always}, [](const Result&) {});
  EXPECT_TRUE(time.run_until([&] { return !end.empty(); }, 31s));
}

// The node may have been replaced after it sent its chain id.
TEST_F(PoolConnectionsTest, ACheckOfWhichHalfIsLostIsMadeAgain) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->said_before = nodes[0]->answer(R"({"method":"eth_chainId"})")->body;
  nodes[0]->chain_id = 2;
  nodes[0]->loses_genesis = true;
  EXPECT_EQ(answer(kChainWrite), "wrong_chain");
  EXPECT_EQ(nodes[0]->count("eth_sendRawTransaction"), 0U);
}

// A node that answers everything else is judged by its chain id, like a pruned one.
TEST_F(PoolConnectionsTest, ANodeThatAlwaysFailsForBlockZeroIsUsed) {
  make(1);
  nodes[0]->loses_genesis = true;
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(answer(kChainWrite), R"(["a"])");
}

TEST_F(PoolConnectionsTest, WhatMustNotBeRepeatedIsCheckedBeforeAndNotAfter) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  const std::size_t before = nodes[0]->count("eth_chainId");
  nodes[0]->all_are_new = true;  // a write always has a connection of its own
  EXPECT_EQ(answer(kChainWrite), R"(["a"])");
  EXPECT_EQ(nodes[0]->count("eth_chainId"), before + 1);
}

}  // namespace
}  // namespace fanfare::upstream
