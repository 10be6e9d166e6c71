#include "upstream/pool.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "upstream/http_node.h"
#include "upstream/pool_world_for_tests.h"
#include "upstream/test_calls.h"
#include "upstream/test_server.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::kDropped;
using testing::kRead;
using testing::kRefused;
using testing::kWrite;
using testing::Peer;
using testing::PoolTest;
using testing::Request;
using testing::TestServer;

TEST_F(PoolTest, ThePreferredMemberAnswers) {
  make(2);
  const Result result = ask(worker, *pool, "{}", kRead);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->body, R"(["a"])");
  EXPECT_EQ(result->member, 0U);
  EXPECT_EQ(nodes[1]->calls, 0);
}

TEST_F(PoolTest, AReadFailsOverWhateverHappenedToIt) {
  make(3);
  on_worker([&] {
    nodes[0]->failure = kDropped;
    nodes[1]->failure = kRefused;
  });
  const Result result = ask(worker, *pool, "{}", kRead);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->body, R"(["c"])");
  EXPECT_EQ(result->member, 2U);
  EXPECT_EQ(edges.overs, (std::vector<std::string>{"a to b", "b to c"}));
}

TEST_F(PoolTest, AWriteFailsOverOnlyWhenNothingWasSent) {
  make(2);
  on_worker([&] { nodes[0]->failure = kRefused; });
  EXPECT_EQ(answer(kWrite), R"(["b"])");
  on_worker([&] { nodes[0]->failure = kDropped; });
  EXPECT_EQ(answer(kWrite), "closed");
  EXPECT_EQ(nodes[1]->calls, 1);
}

TEST_F(PoolTest, ACallAboutOneMemberGoesToNobodyElse) {
  make(3);
  CallOptions about_b = kRead;
  about_b.member = 1;
  EXPECT_EQ(answer(about_b), R"(["b"])");
  on_worker([&] { nodes[1]->failure = kRefused; });
  EXPECT_EQ(answer(about_b), "connect");
  about_b.attempt = 1;
  EXPECT_EQ(answer(about_b), "connect");
  EXPECT_EQ(nodes[0]->calls + nodes[2]->calls, 0);
}

TEST_F(PoolTest, WhatEveryNodeWouldRefuseIsNotAskedTwice) {
  make(2);
  on_worker([&] { nodes[0]->failure = Failure{.kind = FailureKind::http_status, .http_status = 400}; });
  EXPECT_EQ(answer(), "http_status");
  on_worker([&] { nodes[0]->failure = Failure{.kind = FailureKind::too_large}; });
  EXPECT_EQ(answer(), "too_large");
  EXPECT_EQ(nodes[1]->calls, 0);
}

TEST_F(PoolTest, OneClientsRefusedCallsDoNotTakeANodeOutForOthers) {
  make(2);
  for (const int status : {403, 429}) {
    on_worker([&] {
      nodes[0]->head = 7;  // it answers harmless calls
      nodes[0]->failure = Failure{.kind = FailureKind::http_status, .http_status = status, .sent = true};
    });
    for (int i = 0; i < 5; ++i) EXPECT_EQ(answer(), R"(["b"])");
    EXPECT_EQ(pool->available(), 2U) << status;
  }
  EXPECT_EQ(edges.changes, std::vector<std::string>{});
}

TEST_F(PoolTest, ANodeThatRefusesEveryoneIsPutAside) {
  make(2);
  const Failure refused{.kind = FailureKind::http_status, .http_status = 429, .sent = true};
  std::promise<void> aside;
  std::function<void()> look = [&] {
    if (!pool->status()[0].available) {
      aside.set_value();
    } else {
      worker.call_after(1ms, [&] { look(); });
    }
  };
  on_worker([&] {
    nodes[0]->failure = refused;
    nodes[0]->head_failure = refused;
  });
  EXPECT_EQ(answer(), R"(["b"])");
  on_worker([&] { look(); });
  aside.get_future().wait();
}

TEST_F(PoolTest, WhenAllFailTheLastFailureIsTheAnswer) {
  make(2);
  on_worker([&] {
    nodes[0]->failure = kRefused;
    nodes[1]->failure = kDropped;
  });
  EXPECT_EQ(answer(), "closed");
  EXPECT_EQ(nodes[0]->calls + nodes[1]->calls, 2);
}

TEST_F(PoolTest, AMemberThatKeepsFailingIsPutAsideAndNotAskedFirst) {
  make(2);
  on_worker([&] { nodes[0]->failure = kDropped; });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(answer(), R"(["b"])");
  EXPECT_EQ(nodes[0]->calls, 3);
  EXPECT_EQ(edges.changes, std::vector<std::string>{"a down"});  // one edge, not one per call
  EXPECT_EQ(pool->available(), 1U);
  on_worker([&] {
    EXPECT_FALSE(pool->status()[0].available);
    EXPECT_TRUE(pool->status()[1].available);
  });
}

TEST_F(PoolTest, AProbeBringsAMemberBackWithoutHarmToAnyCall) {
  make(2, {.health = {.backoff_min = 1ms, .backoff_max = 4ms}, .watch_heads_every = 0s});
  on_worker([&] { nodes[0]->failure = kDropped; });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(answer(), R"(["b"])");
  // Its probes fail for a while: its head is unknown.
  std::promise<void> probed;
  std::function<void()> look = [&] {
    if (nodes[0]->head_calls >= 3) {
      nodes[0]->failure.reset();
      nodes[0]->head = 7;
      probed.set_value();
    } else {
      worker.call_after(1ms, [&] { look(); });
    }
  };
  on_worker([&] { look(); });
  probed.get_future().wait();
  edges.recovered.get_future().wait();
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(nodes[0]->calls, 4);  // none of these calls was its probe
  EXPECT_EQ(edges.changes, (std::vector<std::string>{"a down", "a up"}));
  EXPECT_EQ(pool->available(), 2U);
}

TEST_F(PoolTest, WithEveryMemberAsideCallsAreStillTried) {
  make(1);
  on_worker([&] { nodes[0]->failure = kDropped; });
  for (int i = 0; i < 4; ++i) EXPECT_EQ(answer(), "closed");
  EXPECT_EQ(pool->available(), 0U);
  on_worker([&] { nodes[0]->failure.reset(); });
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(pool->available(), 1U);
}

TEST_F(PoolTest, AnAttemptLeavesTimeForTheOthers) {
  make(2, {.timeout = 30s, .attempt_timeout = 10s, .watch_heads_every = 0s});
  EXPECT_EQ(answer(), R"(["a"])");
  EXPECT_EQ(nodes[0]->last_timeout, Duration(10s));
  EXPECT_EQ(answer(kWrite), R"(["a"])");  // no other may be tried after it: it gets the whole timeout
  EXPECT_GT(nodes[0]->last_timeout, Duration(20s));
  on_worker([&] { nodes[0]->failure = kDropped; });
  EXPECT_EQ(answer(), R"(["b"])");
  EXPECT_GT(nodes[1]->last_timeout, Duration(20s));
}

TEST_F(PoolTest, AHedgedReadTakesTheFirstAnswer) {
  make(2, {.hedge_after = 1ms, .watch_heads_every = 0s});
  on_worker([&] { nodes[0]->hold = true; });
  EXPECT_EQ(answer(), R"(["b"])");
  on_worker([&] {
    // The late answer of the first is ignored.
    for (Done& done : std::exchange(nodes[0]->held, {})) done(Reply{.body = "[\"late\"]"});
  });
  EXPECT_EQ(nodes[0]->calls, 1);
}

TEST_F(PoolTest, HedgesHaveABudget) {
  make(2, {.timeout = 1h, .hedge_after = 1ms, .watch_heads_every = 0s});
  on_worker([&] { nodes[0]->hold = true; });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(answer(), R"(["b"])");  // the saved hedges
  // The calls that are held end with the pool, after this function.
  const auto answered = std::make_shared<int>(0);
  std::promise<void> later;
  on_worker([&] {
    for (int i = 0; i < 25; ++i) pool->call("{}", kRead, [answered](const Result&) { ++*answered; });
    // A timer that is set after the others and due later runs after all of them.
    worker.call_after(2ms, [&] { worker.call_after(1ms, [&] { later.set_value(); }); });
  });
  later.get_future().wait();
  on_worker([&] {
    EXPECT_LE(*answered, 3);
    EXPECT_EQ(nodes[1]->calls, 13);
  });
}

TEST_F(PoolTest, AWriteIsNeverHedged) {
  make(2, {.hedge_after = 1ms, .watch_heads_every = 0s});
  std::promise<Result> result;
  std::promise<void> later;
  on_worker([&] {
    nodes[0]->hold = true;
    pool->call("{}", kWrite, [&](Result got) { result.set_value(std::move(got)); });
    worker.call_after(5ms, [&] { later.set_value(); });
  });
  later.get_future().wait();
  on_worker([&] {
    EXPECT_EQ(nodes[1]->calls, 0);
    for (Done& done : std::exchange(nodes[0]->held, {})) done(Reply{.body = "{}"});
  });
  EXPECT_TRUE(result.get_future().get().has_value());
}

TEST_F(PoolTest, EndsEveryCallWhenItGoes) {
  make(2, {.behind_retry = 1h});
  std::vector<FailureKind> ends;
  std::promise<void> asked;
  on_worker([&] {
    const auto end = [&](const Result& result) { ends.push_back(result.error().kind); };
    pool->head_seen(0, 6);
    nodes[0]->failure = kRefused;
    nodes[1]->head = 5;
    pool->call("{}", {.timeout = 2h, .repeat = Repeat::always, .head_min = 6},
               end);  // waits for its next look
    worker.call_after(1ms, [&] { asked.set_value(); });
  });
  asked.get_future().wait();
  on_worker([&] {
    nodes[1]->hold = true;
    pool->call("{}", kRead, [&](const Result& result) { ends.push_back(result.error().kind); });
  });
  pool.reset();
  EXPECT_EQ(ends, std::vector<FailureKind>(2, FailureKind::shutdown));
}

TEST_F(PoolTest, EndsEveryCallWhenTheWorkerStops) {
  make(2);
  std::vector<FailureKind> ends;
  on_worker([&] {
    nodes[0]->hold = true;
    pool->call("{}", kRead, [&](const Result& result) { ends.push_back(result.error().kind); });
  });
  worker.stop();
  EXPECT_EQ(ends, std::vector<FailureKind>{FailureKind::shutdown});
}

TEST_F(PoolTest, MayBeDestroyedByItsOwnAnswer) {
  make(2);
  std::promise<void> done;
  on_worker([&] {
    pool->call("{}", kRead, [&](const Result&) {
      pool.reset();
      done.set_value();
    });
  });
  done.get_future().wait();
}

TEST(PoolOverHttp, FailsOverFromADeadPortAndFromABrokenNode) {
  TestServer broken([](Peer& peer, const Request&) { peer.reply("<html>", "502 Bad Gateway"); });
  TestServer good([](Peer& peer, const Request& request) { peer.reply("[" + request.body + "]"); });
  Worker worker;
  std::vector<std::unique_ptr<Backend>> members;
  for (const std::string& url :
       {"http://127.0.0.1:" + std::to_string(TestServer::closed_port()), broken.url(), good.url()}) {
    members.push_back(std::make_unique<HttpNode>(worker, HttpOptions{.url = url}));
  }
  Pool pool(worker, std::move(members), {.watch_heads_every = 0s});
  const Result read = ask(worker, pool, "1", kRead);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->body, "[1]");
  EXPECT_EQ(read->member, 2U);
  const Result write = ask(worker, pool, "2", kWrite);  // the dead port is skipped, the broken node is not
  ASSERT_FALSE(write.has_value());
  EXPECT_EQ(write.error().http_status, 502);
  EXPECT_EQ(good.requests(), 1);
}

}  // namespace
}  // namespace fanfare::upstream
