// A pool uses a member only while it is known to be on the network's chain. Time is simulated.

#include "upstream/pool_chain_world_for_tests.h"

namespace fanfare::upstream {
namespace {

using namespace testing;

TEST_F(PoolChainTest, ANodeOfAnotherChainIsNeverUsed) {
  make(2);
  nodes[0]->chain_id = 2;
  EXPECT_EQ(answer(), R"(["b"])");
  EXPECT_EQ(answer(kChainWrite), R"(["b"])");
  nodes[1]->failure = kChainRefused;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(answer(), "connect");
  EXPECT_EQ(answer(kChainWrite), "connect");
  EXPECT_EQ(nodes[0]->count("eth_getBalance") + nodes[0]->count("eth_sendRawTransaction"), 0U);
  EXPECT_EQ(changes.told, std::vector<std::string>{"a wrong"});  // once
  EXPECT_EQ(pool->status()[0].wrong_chain, "the node is on chain 2, the network is chain 1");
  EXPECT_FALSE(pool->is_trusted(0));
}

TEST_F(PoolChainTest, WithOnlyWrongNodesCallsFailAtOnce) {
  make(2);
  nodes[0]->chain_id = nodes[1]->chain_id = 2;
  EXPECT_EQ(answer(), "wrong_chain");
  EXPECT_EQ(answer(kChainWrite), "wrong_chain");
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
  pool->call("{}", kChainRead, [](const Result&) {});
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
  nodes[0]->failure = kChainRefused;
  EXPECT_EQ(answer(), "connect");
  EXPECT_EQ(nodes[1]->count("eth_getBalance"), 0U);
}

TEST_F(PoolChainTest, WithoutAConfiguredIdAHangingNodeIsWaitedForOnlySoLong) {
  make(2, {});
  nodes[0]->silent = true;
  nodes[1]->chain_id = 5;
  EXPECT_EQ(answer(kChainRead, ChainCheckOptions{}.preferred_wait + 1s), R"(["b"])");
}

TEST_F(PoolChainTest, AReusedIdIsFoundOutByTheGenesis) {
  make(2);
  nodes[1]->genesis = kTwo;
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->failure = kChainRefused;
  EXPECT_EQ(answer(), "connect");
  EXPECT_EQ(pool->status()[1].wrong_chain, "the node is on chain 1 with the genesis " + kTwo +
                                               ", the network is chain 1 with the genesis " + kOne);
  // It keeps the genesis it has shown: one failed request for it changes nothing.
  nodes[1]->genesis.clear();
  time.run_for(1min);
  EXPECT_EQ(answer(), "connect");
}

TEST_F(PoolChainTest, APrunedNodeIsUsed) {
  make(2);
  nodes[1]->genesis.clear();
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->failure = kChainRefused;
  EXPECT_EQ(answer(), R"(["b"])");
}

TEST_F(PoolChainTest, TheOnlyNodeRestartedWithAnotherGenesisIsFollowed) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->failure = kChainRefused;
  EXPECT_EQ(answer(), "connect");
  nodes[0]->failure.reset();
  nodes[0]->genesis = kTwo;
  EXPECT_EQ(answer(), R"(["a"])");
}

TEST_F(PoolChainTest, ANodeRestartedAsAnotherChainIsNotUsedAfterItsFailure) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->failure = kChainRefused;
  EXPECT_EQ(answer(), R"(["b"])");
  nodes[0]->failure.reset();
  nodes[0]->chain_id = 2;
  nodes[1]->failure = kChainRefused;
  const std::size_t before = nodes[0]->count("eth_getBalance");
  EXPECT_EQ(answer(), "wrong_chain");  // the latest result; the message has both reasons
  EXPECT_EQ(answer(kChainWrite), "connect");
  time.run_for(10min);
  EXPECT_EQ(answer(), "connect");
  EXPECT_EQ(nodes[0]->count("eth_getBalance"), before);
  EXPECT_EQ(nodes[0]->count("eth_sendRawTransaction"), 0U);
}

TEST_F(PoolChainTest, WhatMustNotBeRepeatedIsSentOnlyAfterACheckOfItsOwn) {
  make(2);
  EXPECT_EQ(answer(), R"(["a"])");
  // Moved to another chain without any notice.
  nodes[0]->chain_id = 2;
  EXPECT_EQ(answer(kChainWrite), R"(["b"])");
  EXPECT_EQ(nodes[0]->count("eth_sendRawTransaction"), 0U);
  // A check that began before the call is not enough.
  nodes[1]->asked.clear();
  pool->verify(1, [](const Failure*) {});
  EXPECT_EQ(answer(kChainWrite), R"(["b"])");
  EXPECT_EQ(nodes[1]->count("eth_chainId"), 2U);
}

TEST_F(PoolChainTest, ChecksOfManyWritesAreShared) {
  make(1);
  EXPECT_EQ(answer(), R"(["a"])");
  nodes[0]->asked.clear();
  int done = 0;
  for (int i = 0; i < 100; ++i)
    pool->call("{}", kChainWrite, [&](const Result& result) { done += result ? 1 : 0; });
  time.run_for(1s);
  EXPECT_EQ(done, 100);
  EXPECT_LE(nodes[0]->count("eth_chainId"), 2U);
}

TEST_F(PoolChainTest, ANodeWhoseReconnectsAreNoticedIsCheckedAfterEachOfThem) {
  make(2);
  nodes[0]->its_connection = 1;
  EXPECT_EQ(answer(), R"(["a"])");
  const std::size_t checks = nodes[0]->count("eth_chainId");
  EXPECT_EQ(answer(kChainWrite), R"(["a"])");  // a write needs no check of its own
  EXPECT_EQ(nodes[0]->count("eth_chainId"), checks);
  nodes[0]->its_connection = 2;
  nodes[0]->chain_id = 2;
  EXPECT_FALSE(pool->is_trusted(0));  // from this moment on
  nodes[0]->when_reconnected();
  EXPECT_EQ(answer(), R"(["b"])");
  EXPECT_EQ(answer(kChainWrite), R"(["b"])");
  EXPECT_EQ(nodes[0]->count("eth_sendRawTransaction"), 1U);
  EXPECT_EQ(changes.told, std::vector<std::string>{"a wrong"});
}

TEST_F(PoolChainTest, ACheckThatAReconnectOvertookIsMadeAgain) {
  make(1);
  nodes[0]->its_connection = 1;
  pool->call("{}", kChainRead, [](const Result&) {});
  nodes[0]->its_connection = 2;  // while the first check is in progress
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

TEST_F(PoolChainTest, EndsTheCallsThatWaitForACheck) {
  make(1);
  nodes[0]->silent = true;
  std::optional<Result> end;
  pool->call("{}", kChainRead, [&](Result result) { end = std::move(result); });
  pool.reset();
  ASSERT_TRUE(end && !*end);
  EXPECT_EQ(end->error().kind, FailureKind::shutdown);
}

TEST_F(PoolChainTest, MayBeDestroyedByTheEndOfACheck) {
  make(2);
  nodes[0]->chain_id = nodes[1]->chain_id = 2;
  int ends = 0;
  for (int i = 0; i < 3; ++i) {
    pool->call("{}", kChainRead, [&](const Result&) {
      ++ends;
      pool.reset();
    });
  }
  time.run_for(1s);
  EXPECT_EQ(ends, 3);
}

}  // namespace
}  // namespace fanfare::upstream
