#include "upstream/pool.h"

#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "upstream/http_endpoint.h"
#include "upstream/test_calls.h"
#include "upstream/test_server.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::kRead;
using testing::Peer;
using testing::Request;
using testing::TestServer;

const CallOptions kWrite{.method = "eth_sendTransaction"};
const Failure kRefused{.kind = FailureKind::connect, .message = "refused", .sent = false};
const Failure kDropped{.kind = FailureKind::closed, .message = "dropped", .sent = true};

// A node of a test: answers calls with `act`, heads with `head`, and counts. Everything on the worker.
struct Node final : Backend {
  Node(Worker& on, std::string called) : worker(on), id(std::move(called)) {}
  ~Node() override {
    for (Done& done : held) done(std::unexpected(Failure{.kind = FailureKind::shutdown}));
    for (auto& [done, result] : std::exchange(*answering, {}))
      done(std::unexpected(Failure{.kind = FailureKind::shutdown}));
  }
  void call(std::string body, CallOptions options, Done done) override {
    Result result = Reply{.body = "[\"" + id + "\"]"};
    if (body.find("eth_blockNumber") != std::string::npos) {
      ++head_calls;
      if (head == 0) result = std::unexpected(head_failure.value_or(kDropped));
      if (head != 0) result = Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":")" + hex(head) + "\"}"};
    } else {
      ++calls;
      last_timeout = options.timeout;
      if (failure) result = std::unexpected(*failure);
    }
    if (hold) {
      held.push_back(std::move(done));
      return;
    }
    answering->emplace_back(std::move(done), std::move(result));
    worker.post([answering = answering] {
      if (answering->empty()) return;  // ended with the node
      auto [answer, its_result] = std::move(answering->front());
      answering->pop_front();
      answer(std::move(its_result));
    });
  }
  std::string_view name() const override { return id; }
  static std::string hex(std::uint64_t number) {
    char text[24];
    std::snprintf(text, sizeof(text), "0x%lx", static_cast<unsigned long>(number));
    return text;
  }

  Worker& worker;
  std::string id;
  std::optional<Failure> failure;
  std::optional<Failure> head_failure;  // of questions for the head, while it has none
  bool hold = false;
  std::uint64_t head = 0;
  int calls = 0;
  int head_calls = 0;
  std::optional<Duration> last_timeout;
  std::vector<Done> held;
  // On their way; a backend that goes ends them.
  std::shared_ptr<std::deque<std::pair<Done, Result>>> answering =
      std::make_shared<std::deque<std::pair<Done, Result>>>();
};

// Turns what the pool tells into something a test can wait for.
struct Edges final : Observer {
  void call_finished(const CallReport&) override {}
  void availability_changed(std::string_view endpoint, bool available) override {
    changes.push_back(std::string(endpoint) + (available ? " up" : " down"));
    if (available) recovered.set_value();
  }
  void failed_over(std::string_view from, std::string_view to) override {
    overs.push_back(std::string(from) + " to " + std::string(to));
  }
  std::vector<std::string> changes, overs;
  std::promise<void> recovered;
};

struct PoolTest : ::testing::Test {
  Edges edges;
  Worker worker;
  std::vector<Node*> nodes;
  std::unique_ptr<Pool> pool;

  void make(std::size_t count, PoolOptions options = {.watch_heads_every = 0s}) {
    std::vector<std::unique_ptr<Backend>> members;
    for (std::size_t i = 0; i < count; ++i) {
      auto node = std::make_unique<Node>(worker, std::string(1, static_cast<char>('a' + i)));
      nodes.push_back(node.get());
      members.push_back(std::move(node));
    }
    pool = std::make_unique<Pool>(worker, std::move(members), std::move(options), &edges);
  }
  std::string answer(const CallOptions& options = kRead) {
    const Result result = ask(worker, *pool, "{}", options);
    return result ? result->body : std::string(to_string(result.error().kind));
  }
  void on_worker(Worker::Task task) { worker.run(std::move(task)); }
};

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
      nodes[0]->head = 7;  // it answers what is harmless
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
  EXPECT_EQ(edges.changes, std::vector<std::string>{"a down"});  // one edge, not one a call
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
  // Its probes fail for a while: its head is not known.
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
  EXPECT_EQ(nodes[0]->calls, 4);  // no call of ours was its probe
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
  EXPECT_EQ(answer(kWrite), R"(["a"])");  // nobody may be asked after it: it has all the time
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
    // The late answer of the first is nobody's any more.
    for (Done& done : std::exchange(nodes[0]->held, {})) done(Reply{.body = "[\"late\"]"});
  });
  EXPECT_EQ(nodes[0]->calls, 1);
}

TEST_F(PoolTest, HedgesHaveABudget) {
  make(2, {.timeout = 1h, .hedge_after = 1ms, .watch_heads_every = 0s});
  on_worker([&] { nodes[0]->hold = true; });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(answer(), R"(["b"])");  // the saved ones
  // The calls that are held end with the pool, after this function.
  const auto answered = std::make_shared<int>(0);
  std::promise<void> later;
  on_worker([&] {
    for (int i = 0; i < 25; ++i) pool->call("{}", kRead, [answered](const Result&) { ++*answered; });
    // A timer set after theirs and due later runs after all of them.
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

TEST_F(PoolTest, ANodeBelowTheBlockShownIsNotAsked) {
  make(2);
  on_worker([&] {
    nodes[0]->head = 99;
    nodes[1]->head = 100;
  });
  EXPECT_EQ(answer({.repeat = Repeat::always, .head_min = 100}), R"(["b"])");
  EXPECT_EQ(nodes[0]->calls, 0);
  // What was learned is remembered, and what a poller says counts as well.
  on_worker([&] { pool->head_seen(0, 101); });
  EXPECT_EQ(answer({.repeat = Repeat::always, .head_min = 101}), R"(["a"])");
  EXPECT_EQ(nodes[0]->head_calls, 1);
  EXPECT_EQ(nodes[1]->head_calls, 1);
}

TEST_F(PoolTest, ACallWaitsForANodeToGetTheBlockThatAFailedOneHad) {
  make(2, {.watch_heads_every = 0s, .behind_retry = 1ms});
  std::promise<Result> result;
  std::promise<void> looked;
  on_worker([&] {
    pool->head_seen(0, 100);
    nodes[0]->failure = kRefused;
    nodes[0]->head = 0;
    nodes[1]->head = 99;
    pool->call("{}", {.repeat = Repeat::always, .head_min = 100},
               [&](Result got) { result.set_value(std::move(got)); });
    worker.call_after(5ms, [&] { looked.set_value(); });
  });
  looked.get_future().wait();
  on_worker([&] {
    EXPECT_EQ(nodes[1]->calls, 0);
    nodes[1]->head = 100;
  });
  const Result got = result.get_future().get();
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->body, R"(["b"])");
  EXPECT_FALSE(got->gave_way);
}

TEST_F(PoolTest, WhenNoNodeGetsTheBlockInTimeThatIsSaid) {
  make(2, {.watch_heads_every = 0s, .behind_retry = 1h});
  on_worker([&] {
    pool->head_seen(0, 100);
    nodes[0]->failure = kRefused;
    nodes[1]->head = 99;
  });
  EXPECT_EQ(answer({.timeout = 30min, .repeat = Repeat::always, .head_min = 100}), "behind");
  on_worker([&] { EXPECT_TRUE(pool->status()[1].available); });  // being behind is no failure
}

TEST_F(PoolTest, AFailedNodesWordOnItsBlocksCountsOnlySoLong) {
  make(2, {.watch_heads_every = 0s, .behind_retry = 1ms, .head_believed_for = 20ms});
  on_worker([&] {
    pool->head_seen(0, 100);
    nodes[0]->failure = kRefused;
    nodes[1]->head = 99;
  });
  EXPECT_EQ(answer({.timeout = 1h, .repeat = Repeat::always, .head_min = 100}), R"(["b"])");
}

TEST_F(PoolTest, NobodyWaitsForABlockThatTheChainHasLeft) {
  make(2, {.watch_heads_every = 0s, .behind_retry = 1h});
  on_worker([&] {
    pool->head_seen(0, 100);
    pool->head_seen(0, 90);  // the chain went back
    nodes[0]->head = nodes[1]->head = 90;
  });
  const Result got = ask(worker, *pool, "{}", {.timeout = 30min, .repeat = Repeat::always, .head_min = 100});
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->body, R"(["a"])");
  EXPECT_TRUE(got->gave_way);
  // From now on it is known, and costs no more questions.
  const int head_calls = nodes[0]->head_calls + nodes[1]->head_calls;
  EXPECT_EQ(answer({.timeout = 30min, .repeat = Repeat::always, .head_min = 100}), R"(["a"])");
  EXPECT_EQ(nodes[0]->head_calls + nodes[1]->head_calls, head_calls);
}

TEST_F(PoolTest, ABlockThatOneNodeStillHasIsAskedOfThatNode) {
  make(2);
  on_worker([&] {
    pool->head_seen(0, 100);
    pool->head_seen(1, 100);
    pool->head_seen(0, 90);
  });
  EXPECT_EQ(answer({.repeat = Repeat::always, .head_min = 100}), R"(["b"])");
}

TEST_F(PoolTest, WithEveryNodeDownACallForABlockFailsAtOnceWithAllReasons) {
  make(2, {.timeout = 1h, .watch_heads_every = 0s, .behind_retry = 1h});
  on_worker([&] {
    pool->head_seen(0, 100);  // the second has been dead from the start
    nodes[0]->failure = kRefused;
    nodes[1]->failure = kRefused;
  });
  const Result got = ask(worker, *pool, "{}", {.repeat = Repeat::always, .head_min = 100});
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().message, "a: refused; b: dropped");
  EXPECT_EQ(got.error().kind, FailureKind::closed);
  EXPECT_EQ(nodes[1]->calls, 0);
}

TEST_F(PoolTest, ANodeThatDoesNotTellItsHeadCostsNoMoreThanTheCallsTime) {
  make(2);
  on_worker([&] { nodes[0]->hold = nodes[1]->hold = true; });
  EXPECT_EQ(answer({.timeout = 10ms, .repeat = Repeat::always, .head_min = 100}), "timeout");
}

TEST_F(PoolTest, AMemberThatLagsComesAfterThoseThatKeepUp) {
  make(3);
  on_worker([&] {
    pool->head_seen(0, 94);
    pool->head_seen(1, 100);
  });
  EXPECT_EQ(answer(), R"(["b"])");
  on_worker([&] { pool->head_seen(0, 95); });
  EXPECT_EQ(answer(), R"(["a"])");
}

TEST_F(PoolTest, HeadsOfSilentMembersAreWatched) {
  make(2, {.watch_heads_every = 1ms});
  std::promise<void> watched;
  std::function<void()> look = [&] {
    if (pool->status()[0].head == 5 && pool->status()[1].head == 6) {
      watched.set_value();
    } else {
      worker.call_after(1ms, [&] { look(); });
    }
  };
  on_worker([&] {
    nodes[0]->head = 5;
    nodes[1]->head = 6;
    look();
  });
  watched.get_future().wait();
}

TEST_F(PoolTest, TheHeadOfASingleMemberIsThePollersAlone) {
  make(1, {.watch_heads_every = 1ms});
  std::promise<void> later;
  on_worker([&] { worker.call_after(3ms, [&] { worker.call_after(3ms, [&] { later.set_value(); }); }); });
  later.get_future().wait();
  on_worker([&] { EXPECT_EQ(nodes[0]->head_calls, 0); });
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
    members.push_back(std::make_unique<HttpEndpoint>(worker, HttpOptions{.url = url}));
  }
  Pool pool(worker, std::move(members), {.watch_heads_every = 0s});
  const Result read = ask(worker, pool, "1", kRead);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->body, "[1]");
  EXPECT_EQ(read->member, 2U);
  const Result write = ask(worker, pool, "2", kWrite);  // the dead port is passed, the broken node is not
  ASSERT_FALSE(write.has_value());
  EXPECT_EQ(write.error().http_status, 502);
  EXPECT_EQ(good.requests(), 1);
}

}  // namespace
}  // namespace fanfare::upstream
