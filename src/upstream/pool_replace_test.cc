// The members of a pool are replaced while it is used.

#include "upstream/pool_world_for_tests.h"

namespace fanfare::upstream::testing {
namespace {

struct PoolReplaceTest : PoolTest {
  // Replaces the members by one with this name.
  void replace(const std::string& name, PoolOptions options = {.watch_heads_every = 0s}) {
    on_worker([&] {
      auto node = std::make_unique<Node>(worker, name);
      nodes.push_back(node.get());
      std::vector<std::unique_ptr<Backend>> members;
      members.push_back(std::move(node));
      pool->replace(std::move(members), std::move(options), &edges);
    });
  }
  void clear() {
    on_worker([&] { pool->clear(); });
  }
  std::size_t first_member() {
    std::size_t first = 0;
    on_worker([&] { first = pool->first_member(); });
    return first;
  }
  // A call that ends later.
  std::future<Result> begin(CallOptions options = kRead) {
    auto ended = std::make_shared<std::promise<Result>>();
    std::future<Result> result = ended->get_future();
    on_worker([&] {
      pool->call("{}", std::move(options), [ended](Result got) { ended->set_value(std::move(got)); });
    });
    return result;
  }
};

TEST_F(PoolReplaceTest, NewCallsGoToTheNewMembers) {
  make(2);
  EXPECT_EQ(answer(), "[\"a\"]");
  replace("x");
  EXPECT_EQ(answer(), "[\"x\"]");
  on_worker([&] {
    EXPECT_EQ(pool->size(), 1U);
    EXPECT_EQ(pool->available(), 1U);
    EXPECT_EQ(pool->status().at(0).name, "x");
  });
}

TEST_F(PoolReplaceTest, ACallInFlightEndsAtTheMemberThatHasIt) {
  make(1);
  Node* const before = nodes.front();
  on_worker([&] { before->hold = true; });
  std::future<Result> result = begin();
  replace("x");
  EXPECT_EQ(answer(), "[\"x\"]");
  EXPECT_EQ(result.wait_for(0s), std::future_status::timeout);
  on_worker([&] {
    Done done = std::move(before->held.front());
    before->held.clear();
    done(Reply{.body = "late"});
  });
  const Result got = result.get();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->body, "late");
  EXPECT_EQ(got->member, 0U);
}

// The member is destroyed once its calls have ended, and not before.
TEST_F(PoolReplaceTest, AMemberOfBeforeEndsWithItsCalls) {
  make(1);
  Node* const before = nodes.front();
  const std::weak_ptr<void> exists = before->answering;
  on_worker([&] { before->hold = true; });
  std::future<Result> first = begin();
  std::future<Result> second = begin();
  replace("x");
  const auto end_one = [&] {
    on_worker([&] {
      Done done = std::move(before->held.back());
      before->held.pop_back();
      done(Reply{.body = "late"});
    });
    on_worker([] {});
  };
  end_one();
  EXPECT_FALSE(exists.expired());
  end_one();
  on_worker([] {});
  EXPECT_TRUE(exists.expired());
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
}

TEST_F(PoolReplaceTest, AMemberWithoutCallsEndsAtOnce) {
  make(1);
  const std::weak_ptr<void> exists = nodes.front()->answering;
  replace("x");
  on_worker([] {});
  EXPECT_TRUE(exists.expired());
}

TEST_F(PoolReplaceTest, NewMembersHaveNewNumbers) {
  make(2);
  EXPECT_EQ(first_member(), 0U);
  replace("x");
  EXPECT_EQ(first_member(), 2U);
  const Result result = ask(worker, *pool, "{}", kRead);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->member, 2U);
  clear();
  EXPECT_EQ(first_member(), 3U);
  replace("y");
  EXPECT_EQ(first_member(), 3U);
}

TEST_F(PoolReplaceTest, WhatIsReportedAboutAMemberOfBeforeIsIgnored) {
  make(1);
  replace("x");
  on_worker([&] {
    pool->head_seen(0, 77);
    pool->block_seen(0, 77);
    pool->disagreed(0);
    EXPECT_FALSE(pool->is_trusted(0));
    EXPECT_EQ(pool->status().at(0).head, 0U);
    EXPECT_FALSE(pool->status().at(0).distrusted);
    pool->head_seen(1, 78);
    EXPECT_EQ(pool->status().at(0).head, 78U);
    pool->head_seen(2, 79);  // one past the last
    EXPECT_EQ(pool->status().at(0).head, 78U);
  });
  std::promise<FailureKind> verified;
  on_worker([&] {
    pool->verify(0, [&](const Failure* problem) {
      verified.set_value(problem == nullptr ? FailureKind::shutdown : problem->kind);
    });
  });
  EXPECT_EQ(verified.get_future().get(), FailureKind::closed);
}

TEST_F(PoolReplaceTest, ACallForAMemberOfBeforeFailsUnsent) {
  make(1);
  replace("x");
  CallOptions options = kRead;
  options.member = 0;
  const Result gone = ask(worker, *pool, "{}", options);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, FailureKind::closed);
  EXPECT_FALSE(gone.error().sent);
  options.member = 1;
  EXPECT_EQ(answer(options), "[\"x\"]");
}

TEST_F(PoolReplaceTest, WithoutMembersEveryCallFailsUnsent) {
  make(1);
  clear();
  const Result result = ask(worker, *pool, "{}", kWrite);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, FailureKind::closed);
  EXPECT_FALSE(result.error().sent);
  on_worker([&] {
    EXPECT_EQ(pool->size(), 0U);
    EXPECT_EQ(pool->available(), 0U);
    EXPECT_TRUE(pool->status().empty());
    EXPECT_FALSE(pool->checks_chains());
    pool->head_stalled(1, [] { FAIL(); });
  });
  replace("x");
  EXPECT_EQ(answer(), "[\"x\"]");
}

TEST_F(PoolReplaceTest, TheOptionsAreReplacedToo) {
  make(1, {.timeout = 7s, .watch_heads_every = 0s});
  EXPECT_EQ(answer(), "[\"a\"]");
  EXPECT_GT(nodes[0]->last_timeout, 5s);
  replace("x", {.timeout = 3s, .watch_heads_every = 0s});
  EXPECT_EQ(answer(), "[\"x\"]");
  EXPECT_LE(nodes[1]->last_timeout, 3s);
}

// Calls of members of before end with the pool, as do those of its members.
TEST_F(PoolReplaceTest, AllCallsEndWithThePool) {
  make(1);
  on_worker([&] { nodes[0]->hold = true; });
  std::future<Result> first = begin();
  replace("x");
  on_worker([&] { nodes[1]->hold = true; });
  std::future<Result> second = begin();
  pool.reset();
  EXPECT_EQ(first.get().error().kind, FailureKind::shutdown);
  EXPECT_EQ(second.get().error().kind, FailureKind::shutdown);
}

TEST_F(PoolReplaceTest, AllCallsEndWithTheWorker) {
  make(1);
  on_worker([&] { nodes[0]->hold = true; });
  std::future<Result> first = begin();
  replace("x");
  worker.stop();
  EXPECT_EQ(first.get().error().kind, FailureKind::shutdown);
}

}  // namespace
}  // namespace fanfare::upstream::testing
