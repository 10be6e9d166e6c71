// Subscribers that must not miss a pending transaction: when listening begins, how one strategy replaces
// another without a gap, and what is reported if there is a gap (decision 0015).

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "eth/pending_source.h"
#include "eth/pending_world.h"

namespace fanfare::eth {
namespace {

using worlds::answer_all;
using worlds::filter_with;
using worlds::hash;
using worlds::hashes;
using worlds::PendingWorld;
using worlds::transaction;

TEST(PendingListening, WhileTheNodeTellsByItselfNothingIsPolled) {
  PendingWorld world;
  world.answers = [](const jsonrpc::UpstreamCall& call) {
    return call.method == "txpool_content" ? R"({"pending":{}})" : std::string();
  };
  world.source.set_pushed(true, world.now);
  world.want(PendingWanted::hashes);
  EXPECT_TRUE(world.methods.empty());
  EXPECT_FALSE(world.source.next_timer());
  world.source.saw_pushed(hash('a'), world.now);
  world.source.saw_pushed(hash('a'), world.now);
  world.source.saw_pushed("0x12", world.now);
  EXPECT_EQ(world.take(), "a");
  // The node no longer pushes; pushed transactions are not reported again.
  world.answers = [](const jsonrpc::UpstreamCall& call) {
    if (call.method == "txpool_content") {
      return R"({"pending":{"0x1":{"0":)" + transaction('a') + R"(,"1":)" + transaction('b') + "}}}";
    }
    return std::string();
  };
  world.push(false);
  EXPECT_EQ(world.methods.back(), "txpool_content");
  world.source.saw_pushed(hash('c'), world.now);
  EXPECT_EQ(world.take(), "!");
}

// --- waiting until the source listens -------------------------------------------------------------------

TEST(PendingListening, AListenerWaitsUntilTheNodeHasTheFilter) {
  PendingWorld world;
  world.source.set_wanted(PendingWanted::hashes, world.now);
  const auto first = world.source.await_listening(world.now);
  const auto second = world.source.await_listening(world.now);
  EXPECT_EQ(world.answer_of(first), "...");
  world.answers = [](const jsonrpc::UpstreamCall& call) { return filter_with(call, ""); };
  answer_all(world.source, world.answers, world.now, &world.methods);
  const auto answers = world.source.take_listening();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].listener, first);
  EXPECT_EQ(answers[1].listener, second);
  EXPECT_EQ(answers[0].refusal + answers[1].refusal, "");
  EXPECT_EQ(world.listening(), "yes");  // returns at once while it listens
}

TEST(PendingListening, AListenerWaitsForTheFirstLookAtAPool) {
  PendingWorld world;
  bool pool = false;
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    if (call.method != "txpool_content") return std::string();
    return pool ? std::string(R"({"pending":{}})") : std::string("!");
  };
  world.want(PendingWanted::hashes);
  EXPECT_EQ(world.listening(), "...");
  pool = true;
  world.tick();  // no answer in time
  world.tick();
  EXPECT_EQ(world.listening(), "yes");
}

TEST(PendingListening, AListenerIsRefusedWhenItsTimeIsOver) {
  PendingWorld world;
  world.answers = [](const jsonrpc::UpstreamCall&) { return std::string("!"); };
  world.want(PendingWanted::hashes);
  world.now += std::chrono::seconds(5);
  const Instant deadline = world.now + PendingSourceOptions{}.listen_timeout;
  const auto early = world.source.await_listening(world.now);
  world.now += std::chrono::seconds(1);
  const auto late = world.source.await_listening(world.now);
  world.tick();  // the call's own timeout has passed
  world.source.on_timer(deadline - std::chrono::nanoseconds(1));
  EXPECT_EQ(world.answer_of(early), "...");
  world.source.on_timer(deadline);
  EXPECT_EQ(world.answer_of(early), "no answer in time");
  world.answers = [](const jsonrpc::UpstreamCall& call) { return filter_with(call, ""); };
  answer_all(world.source, world.answers, deadline, nullptr);
  EXPECT_EQ(world.answer_of(late), "yes");
}

TEST(PendingListening, WhereThereIsNoWayAListenerIsToldAtOnce) {
  PendingWorld world;
  world.answers = [](const jsonrpc::UpstreamCall&) { return std::string(); };
  world.source.set_wanted(PendingWanted::hashes, world.now);
  const auto waiting = world.source.await_listening(world.now);
  answer_all(world.source, world.answers, world.now, nullptr);
  EXPECT_EQ(world.answer_of(waiting), "no");
  EXPECT_EQ(world.listening(), "no");
  // A new subscriber after all others have left makes the source try every strategy again.
  world.want(PendingWanted::nothing);
  world.answers = [](const jsonrpc::UpstreamCall& call) { return filter_with(call, ""); };
  world.want(PendingWanted::hashes);
  EXPECT_EQ(world.listening(), "yes");
}

TEST(PendingListening, BeforeItsStartNothingIsAskedAndListenersWait) {
  SeededRandom random(1);
  jsonrpc::CallIds ids;
  PendingSource source({}, ids, random);
  Instant now{std::chrono::hours(1)};
  source.set_wanted(PendingWanted::hashes, now);
  EXPECT_TRUE(source.take_calls().empty());
  source.await_listening(now);
  EXPECT_EQ(source.next_timer(), now + PendingSourceOptions{}.listen_timeout);
  now = *source.next_timer();
  source.on_timer(now);
  const auto answers = source.take_listening();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].refusal, "no answer yet");
  source.start(now);
  EXPECT_EQ(source.take_calls().size(), 1U);
}

TEST(PendingListening, WithNobodyLeftToTellListenersAreRefused) {
  PendingWorld world;
  world.answers = [](const jsonrpc::UpstreamCall&) { return std::string("!"); };
  world.want(PendingWanted::hashes);
  const auto listener = world.source.await_listening(world.now);
  world.want(PendingWanted::nothing);
  EXPECT_EQ(world.answer_of(listener), "nobody wants pending transactions any more");
}

// --- changes of strategy, and gaps ----------------------------------------------------------------------

TEST(PendingListening, WhatCameBeforeTheNodeBeganToTellIsAskedForOnceMore) {
  PendingWorld world;
  std::string changes;
  world.answers = [&](const jsonrpc::UpstreamCall& call) { return filter_with(call, changes); };
  world.want(PendingWanted::hashes);
  changes = "a";  // in the filter, but not polled yet
  world.push(true);
  world.source.saw_pushed(hash('a'), world.now);
  world.source.saw_pushed(hash('b'), world.now);
  EXPECT_EQ(world.take(), "ab");
  EXPECT_FALSE(world.source.next_timer());
  EXPECT_EQ(world.listening(), "yes");
}

TEST(PendingListening, AnAnswerOnItsWayWhenTheNodeBeganToTellIsNotTheLast) {
  PendingWorld world;
  std::string changes = "!";
  world.answers = [&](const jsonrpc::UpstreamCall& call) { return filter_with(call, changes); };
  world.want(PendingWanted::hashes);
  world.now = world.source.next_timer().value();
  world.source.on_timer(world.now);
  const auto asked = world.source.take_calls();
  ASSERT_EQ(asked.size(), 1U);
  world.source.set_pushed(true, world.now);
  EXPECT_TRUE(world.source.take_calls().empty());
  changes = "b";
  world.source.on_reply(asked[0].id, jsonrpc::CallResult(hashes("a")), world.now);
  answer_all(world.source, world.answers, world.now, &world.methods);
  EXPECT_EQ(world.take(), "ab");
  EXPECT_FALSE(world.source.next_timer());
}

TEST(PendingListening, ANodeThatOnlyJustBeganToTellAndIsLostLeavesNoHole) {
  PendingWorld world;
  world.answers = [](const jsonrpc::UpstreamCall& call) { return filter_with(call, "!"); };
  world.want(PendingWanted::hashes);
  world.push(true);  // polls for the last time; not answered yet
  world.push(false);
  EXPECT_EQ(world.take(), "");
  EXPECT_EQ(world.listening(), "yes");
}

TEST(PendingListening, ANodeThatForgotTheFilterWhenItBeganToTellLeavesAHole) {
  PendingWorld world;
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    return call.method == "eth_getFilterChanges" ? std::string() : filter_with(call, "");
  };
  world.want(PendingWanted::hashes);
  world.push(true);
  EXPECT_EQ(world.take(), "!");
  EXPECT_EQ(world.listening(), "yes");
  EXPECT_FALSE(world.source.next_timer());
}

TEST(PendingListening, AnAnswerLostWhenTheNodeBeganToTellLeavesAHoleAndNoPolls) {
  PendingWorld world;
  world.answers = [](const jsonrpc::UpstreamCall& call) { return filter_with(call, "!"); };
  world.want(PendingWanted::hashes);
  world.push(true);
  EXPECT_EQ(world.take(), "");
  world.tick();  // no answer in time
  EXPECT_EQ(world.take(), "!");
  EXPECT_EQ(world.listening(), "yes");
  EXPECT_FALSE(world.source.next_timer());
}

// The failures of eth_getFilterChanges that have this effect.
struct FilterFailures : PendingWorld {
  explicit FilterFailures(jsonrpc::CallFailure failure) : failure(std::move(failure)) {
    answers = [](const jsonrpc::UpstreamCall& call) { return filter_with(call, "a"); };
    want(PendingWanted::hashes);
  }
  void fail() {
    now = source.next_timer().value();
    source.on_timer(now);
    for (const jsonrpc::UpstreamCall& call : source.take_calls()) {
      methods.emplace_back(call.method);
      source.on_reply(call.id, std::unexpected(failure), now);
    }
  }
  jsonrpc::CallFailure failure;
};

TEST(PendingListening, ANodeThatWasNotReachedHasTheChangesStill) {
  FilterFailures world({.message = "refused"});
  world.fail();
  world.fail();
  EXPECT_EQ(world.take(), "");
  world.tick();
  EXPECT_EQ(world.take(), "a");
  EXPECT_EQ(std::ranges::count(world.methods, "eth_newPendingTransactionFilter"), 1);
}

TEST(PendingListening, AfterTooManyFailuresInARowTheFilterIsGivenUp) {
  FilterFailures world({.message = "refused"});
  for (std::uint32_t i = 0; i < PendingSourceOptions{}.filter_failures_max; ++i) {
    EXPECT_EQ(world.take(), "");
    world.fail();
  }
  EXPECT_EQ(world.take(), "!");
  EXPECT_EQ(world.listening(), "...");
  world.tick();
  EXPECT_EQ(world.methods.back(), "eth_newPendingTransactionFilter");
  EXPECT_EQ(world.listening(), "yes");
}

TEST(PendingListening, AnAnswerThatGotLostMayHaveTakenTheChangesAway) {
  FilterFailures world({.maybe_done = true, .message = "reset"});
  world.tick();
  EXPECT_EQ(world.take(), "a");
  world.fail();
  EXPECT_EQ(world.take(), "!");
  EXPECT_EQ(world.listening(), "...");
  world.tick();                  // the same filter
  EXPECT_EQ(world.take(), "a");  // the new listener was sent nothing before
  EXPECT_EQ(world.listening(), "yes");
  EXPECT_EQ(std::ranges::count(world.methods, "eth_newPendingTransactionFilter"), 1);
}

TEST(PendingListening, ChangesThatAreNoListAreAHole) {
  PendingWorld world;
  std::string changes = "{}";
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    return call.method == "eth_newPendingTransactionFilter" ? "\"0x1\"" : changes;
  };
  world.want(PendingWanted::hashes);
  world.tick();
  EXPECT_EQ(world.take(), "!");
  EXPECT_EQ(world.source.status().last_failure, "the node's answer is of no use");
}

TEST(PendingListening, AnAnswerThatIsNoPoolLeadsToTheNextWay) {
  PendingWorld world;
  world.answers = [](const jsonrpc::UpstreamCall& call) {
    if (call.method == "eth_getBlockByNumber") return std::string("null");
    return call.method == "txpool_content" ? std::string("{}") : std::string();
  };
  world.want(PendingWanted::hashes);
  EXPECT_EQ(world.source.status().strategy, PendingSource::Strategy::none);
}

TEST(PendingListening, APoolThatIsNotShownAnyMoreIsAHole) {
  PendingWorld world;
  bool pool = true;
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    if (call.method == "eth_getBlockByNumber") return std::string(R"({"transactions":[]})");
    return call.method == "txpool_content" && pool ? std::string(R"({"pending":{}})") : std::string();
  };
  world.want(PendingWanted::hashes);
  pool = false;
  world.tick();
  EXPECT_EQ(world.take(), "!");
  EXPECT_EQ(world.source.status().strategy, PendingSource::Strategy::block);
  EXPECT_EQ(world.listening(), "yes");
}

TEST(PendingListening, ANodeThatKeepsForgettingFiltersIsAskedForItsPool) {
  PendingWorld world;
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    if (call.method == "txpool_content") return std::string(R"({"pending":{}})");
    return call.method == "eth_getFilterChanges" ? std::string() : filter_with(call, "");
  };
  world.want(PendingWanted::hashes);
  for (std::uint32_t i = 0; i < PendingSourceOptions{}.short_filters_max; ++i) {
    EXPECT_EQ(world.source.status().strategy, PendingSource::Strategy::filter);
    world.tick();
  }
  EXPECT_EQ(world.source.status().strategy, PendingSource::Strategy::txpool);
  EXPECT_EQ(world.take(), "!!!");
  EXPECT_EQ(world.listening(), "yes");
}

TEST(PendingListening, FiltersThatLastedAreForgottenWithoutConsequence) {
  PendingWorld world;
  int left = 0;
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    const bool forgets = call.method == "eth_getFilterChanges" && --left < 0;
    return forgets ? std::string() : filter_with(call, "");
  };
  world.want(PendingWanted::hashes);
  for (int restart = 0; restart < 10; ++restart) {
    const Instant begun = world.now;
    left = 1'000'000;
    while (world.now - begun < PendingSourceOptions{}.retry_all) world.tick();
    left = 0;
    world.tick();
    EXPECT_EQ(world.take(), "!");
    EXPECT_EQ(world.source.status().strategy, PendingSource::Strategy::filter);
  }
}

}  // namespace
}  // namespace fanfare::eth
