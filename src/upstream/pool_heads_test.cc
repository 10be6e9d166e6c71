// How a pool uses the heights of its nodes: which may answer, which comes last, and which calls wait.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "upstream/pool_world_for_tests.h"
#include "upstream/test_calls.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::kRead;
using testing::kRefused;
using testing::PoolTest;

TEST_F(PoolTest, ANodeBelowTheBlockShownIsNotAsked) {
  make(2);
  on_worker([&] {
    nodes[0]->head = 99;
    nodes[1]->head = 100;
  });
  EXPECT_EQ(answer({.repeat = Repeat::always, .head_min = 100}), R"(["b"])");
  EXPECT_EQ(nodes[0]->calls, 0);
  // Known heads are remembered, and a poller's reports count as well.
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
  on_worker([&] { EXPECT_TRUE(pool->status()[1].available); });  // being behind is not a failure
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
  // From now on it is known, and costs no more head requests.
  const int head_calls = nodes[0]->head_calls + nodes[1]->head_calls;
  EXPECT_EQ(answer({.timeout = 30min, .repeat = Repeat::always, .head_min = 100}), R"(["a"])");
  EXPECT_EQ(nodes[0]->head_calls + nodes[1]->head_calls, head_calls);
}

TEST_F(PoolTest, ANodeThatMayHaveCaughtUpIsAskedBeforeTheChainCountsAsGoneBack) {
  make(2);
  on_worker([&] {
    pool->head_seen(0, 64);
    pool->head_seen(1, 69);
    nodes[0]->head = 73;  // which is not known yet
    nodes[1]->head = 65;
    pool->head_seen(1, 65);
  });
  const Result got = ask(worker, *pool, "{}", {.repeat = Repeat::always, .head_min = 69});
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->body, R"(["a"])");
  EXPECT_FALSE(got->gave_way);
}

TEST_F(PoolTest, WhenTheBlockIsGoneTheNodeThatHasTheMostAnswers) {
  make(2);
  on_worker([&] {
    nodes[0]->head = 40;
    nodes[1]->head = 45;
  });
  const Result got = ask(worker, *pool, "{}", {.repeat = Repeat::always, .head_min = 46});
  EXPECT_TRUE(got->gave_way);
  EXPECT_EQ(got->body, R"(["b"])");
}

TEST_F(PoolTest, ABlockThatWasGoneAndComesBackIsWaitedForAgain) {
  make(2, {.watch_heads_every = 0s, .gone_for = 1h});
  on_worker([&] { nodes[0]->head = nodes[1]->head = 90; });
  EXPECT_TRUE(ask(worker, *pool, "{}", {.repeat = Repeat::always, .head_min = 100})->gave_way);
  on_worker([&] {
    nodes[1]->head = 100;
    pool->head_seen(1, 100);
  });
  const Result got = ask(worker, *pool, "{}", {.repeat = Repeat::always, .head_min = 100});
  EXPECT_EQ(got->body, R"(["b"])");
  EXPECT_FALSE(got->gave_way);
}

TEST_F(PoolTest, AfterAWhileTheNodesAreAskedAgainForABlockThatWasGone) {
  make(2, {.watch_heads_every = 0s, .gone_for = 0s});
  on_worker([&] { nodes[0]->head = nodes[1]->head = 90; });
  EXPECT_TRUE(ask(worker, *pool, "{}", {.repeat = Repeat::always, .head_min = 100})->gave_way);
  on_worker([&] { nodes[1]->head = 100; });
  const Result got = ask(worker, *pool, "{}", {.repeat = Repeat::always, .head_min = 100});
  EXPECT_EQ(got->body, R"(["b"])");
  EXPECT_FALSE(got->gave_way);
}

TEST_F(PoolTest, WhoIsPutAsideIsNotWaitedForWhenTheChainWentBack) {
  make(2, {.health = {.failures_in_row_max = 1, .backoff_min = 1h, .backoff_max = 1h},
           .probe_timeout = 1h,
           .watch_heads_every = 0s});
  on_worker([&] {
    nodes[0]->failure = kRefused;
    nodes[1]->head = 90;
  });
  EXPECT_EQ(answer(), R"(["b"])");
  on_worker([&] { nodes[0]->hold = true; });  // from now on it hangs
  const Result got = ask(worker, *pool, "{}", {.timeout = 1h, .repeat = Repeat::always, .head_min = 100});
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->body, R"(["b"])");
  EXPECT_TRUE(got->gave_way);
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
    pool->head_seen(0, 100);  // the second node has been dead from the start
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

}  // namespace
}  // namespace fanfare::upstream
