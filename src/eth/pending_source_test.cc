// The strategies to learn of pending transactions, and their bodies.

#include "eth/pending_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "eth/pending_world.h"

namespace fanfare::eth {
namespace {

using worlds::filter_with;
using worlds::hash;
using worlds::hashes;
using worlds::PendingWorld;
using worlds::pool_of;
using worlds::transaction;

TEST(PendingSource, AsksNothingUntilWanted) {
  PendingWorld world;
  EXPECT_TRUE(world.source.take_calls().empty());
  EXPECT_FALSE(world.source.next_timer());
}

TEST(PendingSource, AFilterGivesHashesOnceEach) {
  PendingWorld world;
  std::string changes = "";
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    if (call.method == "eth_newPendingTransactionFilter") return std::string("\"0x7\"");
    EXPECT_EQ(call.method, "eth_getFilterChanges");
    EXPECT_EQ(call.params_json, "[\"0x7\"]");
    return hashes(changes);
  };
  world.want(PendingWanted::hashes);
  changes = "ab";
  world.tick();
  EXPECT_EQ(world.take(), "ab");
  changes = "bc";
  world.tick();
  EXPECT_EQ(world.take(), "c");
}

TEST(PendingSource, BodiesFollowTheirHashesAndAreNeverNull) {
  PendingWorld world;
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    if (call.method == "eth_newPendingTransactionFilter") return std::string("\"0x7\"");
    if (call.method == "eth_getFilterChanges") return hashes("abc");
    EXPECT_EQ(call.method, "eth_getTransactionByHash");
    return call.params_json.at(4) == 'b' ? std::string("null") : transaction(call.params_json.at(4));
  };
  world.want(PendingWanted::bodies);
  world.tick();
  EXPECT_EQ(world.take(), "abcAC");
  EXPECT_EQ(world.source.status().bodies_lost, 1U);
  EXPECT_EQ(std::ranges::count(world.methods, "eth_getTransactionByHash"), 5);  // b's thrice
}

TEST(PendingSource, AFilterTheNodeForgotIsSetUpAgain) {
  PendingWorld world;
  int filters = 0;
  bool forgot = false;
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    if (call.method == "eth_newPendingTransactionFilter") return "\"0x" + std::to_string(++filters) + '"';
    return forgot ? std::string() : hashes("a");
  };
  world.want(PendingWanted::hashes);
  world.tick();
  EXPECT_EQ(world.take(), "a");
  forgot = true;
  world.tick();
  forgot = false;
  EXPECT_EQ(world.take(), "!");
  EXPECT_EQ(filters, 2);
  EXPECT_EQ(world.listening(), "yes");
  EXPECT_EQ(world.source.status().strategy, PendingSource::Strategy::filter);
  EXPECT_EQ(world.source.status().missed, 1U);
}

TEST(PendingSource, WithoutFiltersThePoolIsCompared) {
  PendingWorld world;
  std::string pool = "a";
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    return call.method == "txpool_content" ? pool_of(pool) : std::string();
  };
  world.want(PendingWanted::bodies);
  EXPECT_EQ(world.take(), "");  // transactions already there are not new
  pool = "abc";
  world.tick();
  EXPECT_EQ(world.take(), "bcBC");
  EXPECT_EQ(world.source.status().strategy, PendingSource::Strategy::txpool);
}

TEST(PendingSource, WithoutAPoolThePendingBlockIsCompared) {
  PendingWorld world;
  std::string block = "a";
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    if (call.method != "eth_getBlockByNumber") return std::string();
    EXPECT_EQ(call.params_json, R"(["pending",true])");
    std::string json = R"({"transactions":[)";
    for (const char digit : block) json += (json.back() == '[' ? "" : ",") + transaction(digit);
    return json + "]}";
  };
  world.want(PendingWanted::hashes);
  block = "bc";
  world.tick();
  EXPECT_EQ(world.take(), "bc");
  EXPECT_EQ(world.methods, (std::vector<std::string>{"eth_newPendingTransactionFilter", "txpool_content",
                                                     "eth_getBlockByNumber", "eth_getBlockByNumber"}));
}

TEST(PendingSource, WhoBeginsAnewIsToldAnewAndNothingOfTheTimeBetween) {
  PendingWorld world;
  std::string pool = "a";
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    return call.method == "txpool_content" ? pool_of(pool) : std::string();
  };
  world.want(PendingWanted::hashes);
  pool = "b";
  world.tick();
  EXPECT_EQ(world.take(), "b");
  world.want(PendingWanted::nothing);
  pool = "c";
  world.want(PendingWanted::hashes);
  EXPECT_EQ(world.take(), "");
  pool = "bc";
  world.tick();
  EXPECT_EQ(world.take(), "b");
}

TEST(PendingSource, BodiesThatNobodyWantsAnyMoreAreNotAskedFor) {
  PendingWorld world;
  world.source.set_pushed(true, world.now);
  world.want(PendingWanted::bodies);
  for (std::uint32_t i = 0; i <= PendingSourceOptions{}.bodies_in_flight_max; ++i) {
    const std::string digits{static_cast<char>('0' + i % 10), static_cast<char>('0' + i / 10)};
    world.source.saw_pushed("0x" + std::string(62, 'a') + digits, world.now);
  }
  const auto calls = world.source.take_calls();  // one waits
  world.want(PendingWanted::hashes);
  EXPECT_FALSE(world.source.on_reply(calls[0].id, jsonrpc::CallResult("{}"), world.now));
  EXPECT_TRUE(world.source.take_calls().empty());
  world.want(PendingWanted::bodies);
  world.source.saw_pushed(hash('b'), world.now);
  EXPECT_EQ(world.source.take_calls().size(), 1U);
}

TEST(PendingSource, ANodeWithNoWayIsAskedAgainLater) {
  PendingWorld world;
  world.answers = [](const jsonrpc::UpstreamCall&) { return std::string(); };
  world.want(PendingWanted::hashes);
  EXPECT_EQ(world.source.status().strategy, PendingSource::Strategy::none);
  EXPECT_EQ(*world.source.next_timer() - world.now, PendingSourceOptions{}.retry_all);
  world.answers = [](const jsonrpc::UpstreamCall& call) {
    return call.method == "eth_newPendingTransactionFilter" ? std::string("\"0x1\"") : hashes("a");
  };
  world.tick();
  world.tick();
  EXPECT_EQ(world.take(), "a");
}

TEST(PendingSource, NoAnswerIsGivenUpAndNobodyWantingStopsIt) {
  PendingWorld world;
  world.answers = [](const jsonrpc::UpstreamCall&) { return std::string("!"); };
  world.want(PendingWanted::hashes);
  world.tick();
  EXPECT_EQ(world.source.status().last_failure, "no answer in time");
  EXPECT_EQ(world.take(), "");  // no listener was notified yet
  world.want(PendingWanted::nothing);
  EXPECT_FALSE(world.source.next_timer());
}

TEST(PendingSource, BodiesPastTheLimitAreAHoleForThoseWhoWantThem) {
  PendingWorld world;
  SeededRandom random(1);
  PendingSource source({.bodies_in_flight_max = 1, .bodies_waiting_max = 2}, world.ids, random);
  source.start(world.now);
  source.set_pushed(true, world.now);
  source.set_wanted(PendingWanted::bodies, world.now);
  for (const char digit : std::string("abc"))
    source.saw_pushed(hash(digit), world.now);  // one requested, two waiting
  EXPECT_EQ(source.take_events().size(), 3U);
  source.saw_pushed(hash('d'), world.now);
  const auto events = source.take_events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_TRUE(std::get<PendingMissed>(events[1]).bodies_only);
  EXPECT_EQ(source.status().bodies_lost, 1U);
}

TEST(PendingSource, ABodyThatNoNodeWillShowIsAHole) {
  PendingWorld world;
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    return call.method == "eth_getTransactionByHash" ? std::string() : filter_with(call, "a");
  };
  world.want(PendingWanted::bodies);
  world.tick();
  EXPECT_EQ(world.take(), "a?");
  EXPECT_EQ(world.listening(), "yes");
}

TEST(PendingSource, EachTryForABodyGoesToAnotherNode) {
  PendingWorld world;
  std::vector<std::uint32_t> attempts;
  world.answers = [&](const jsonrpc::UpstreamCall& call) {
    if (call.method != "eth_getTransactionByHash") return filter_with(call, "a");
    attempts.push_back(call.attempt);
    return call.attempt < 2 ? std::string("null") : transaction('a');
  };
  world.want(PendingWanted::bodies);
  world.tick();
  EXPECT_EQ(world.take(), "aA");
  EXPECT_EQ(attempts, (std::vector<std::uint32_t>{0, 1, 2}));
}

}  // namespace
}  // namespace fanfare::eth
