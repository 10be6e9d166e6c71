// Each case is a sequence of steps.

#include "gateway/shared_sessions.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/shared_sessions_for_tests.h"

namespace fanfare::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(SharedSessions, AnotherInstanceContinuesExactlyWhereTheOneThatHasItIs) {
  SharedWorld world;
  SharedClient first(world.one.open());
  EXPECT_FALSE(first.lease.is_known());
  first.note(5);
  first.confirm();
  first.note(6);
  // Nothing of this is written yet.
  auto opened = world.two.open_later();
  while (world.two.connection.step()) {
  }
  ASSERT_TRUE(opened->has_value());
  SharedClient second(std::move(**opened));
  EXPECT_TRUE(second.lease.is_known());
  EXPECT_EQ(second.from(), 5U);
  ASSERT_EQ(second.claim.point->may_have.size(), 1U);
  EXPECT_EQ(second.claim.point->may_have[0].number, 6U);
  EXPECT_FALSE(second.claim.point->is_stale);
  EXPECT_EQ(first.taken, 1);
  first.note(7);
  EXPECT_FALSE(first.is_sent);
  EXPECT_FALSE(world.one.store->has({1}));
  EXPECT_EQ(world.one.shared.counters().handed, 1U);
  EXPECT_EQ(world.two.shared.counters().taken, 1U);
}

TEST(SharedSessions, TheCopyOfOneThatIsGoneIsStale) {
  SharedWorld world;
  SharedClient first(world.one.open());
  first.note(5);
  world.clock.advance(milliseconds(50));
  world.one.run();
  first.note(6);
  first.confirm();
  world.one.run();  // not written: the last write is too young
  world.broker.hanging.insert(1);
  const SharedClient second(world.two.open());
  EXPECT_EQ(second.from(), 5U);
  EXPECT_TRUE(second.claim.point->is_stale);
  EXPECT_EQ(world.two.shared.counters().stale, 1U);
  // It goes on: its next write finds out.
  EXPECT_EQ(first.taken, 0);
  world.clock.advance(seconds(1));
  world.one.run();
  EXPECT_EQ(first.taken, 1);
  EXPECT_EQ(world.one.shared.counters().lost, 1U);
  EXPECT_EQ(world.stored().instance, 2U);
}

TEST(SharedSessions, OneThatWasClosedInOrderIsExactAndNobodyIsAsked) {
  SharedWorld world;
  {
    SharedClient first(world.one.open());
    first.note(5);
    first.note(6);
    first.confirm();
  }
  world.one.run();
  EXPECT_TRUE(world.stored().is_closed);
  world.broker.hanging.insert(1);
  const SharedClient second(world.two.open());
  EXPECT_EQ(second.from(), 6U);
  EXPECT_FALSE(second.claim.point->is_stale);
  EXPECT_EQ(world.two.shared.counters().restored, 1U);
}

// Otherwise its owner's limits would count it there until it expires.
TEST(SharedSessions, OneThatWasClosedIsFreedWhereItWasOnceAnotherInstanceHasIt) {
  SharedWorld world;
  SharedClient(world.one.open()).note(5);
  world.one.run();
  EXPECT_EQ(world.one.store->size(), 1U);
  const SharedClient second(world.two.open());
  world.two.run();
  EXPECT_EQ(world.one.store->size(), 0U);
  EXPECT_EQ(world.one.shared.counters().lost, 0U);
  // And where it is, it stays.
  world.one.run();
  EXPECT_EQ(world.two.store->size(), 1U);
  EXPECT_EQ(second.taken, 0);
}

TEST(SharedSessions, OneThatWasTakenUnheardIsFreedByALook) {
  SharedWorld world;
  SharedClient(world.one.open()).note(5);
  world.one.run();
  world.broker.hanging.insert(1);
  const SharedClient second(world.two.open());
  world.two.run();
  EXPECT_EQ(world.one.store->size(), 1U);
  world.broker.hanging.clear();
  world.clock.advance(seconds(5));
  world.one.run();
  EXPECT_EQ(world.one.store->size(), 0U);
  EXPECT_EQ(world.one.shared.counters().losses, 0U);
}

// The message may come late, or be malformed.
TEST(SharedSessions, WhatCameBackMeanwhileIsNotFreedByAnOldWord) {
  SharedWorld world;
  SharedClient(world.one.open()).note(5);
  world.one.run();
  const std::string key = world.broker.records.begin()->first;
  const std::string turn = std::to_string(world.stored().turn);
  const std::vector<std::string> ends = {key + "!" + turn, key + "!", key, "", "!1", key + "!99999999999"};
  for (const std::string& end : ends) {
    const std::string word = "!" + end;
    EXPECT_EQ(world.one.shared.on_asked(word), "-") << word;
    EXPECT_EQ(world.one.store->size(), 1U) << word;
  }
  const SharedClient open(world.one.open());
  world.one.shared.on_asked("!" + key + "!" + std::to_string(world.stored().turn + 1));
  EXPECT_EQ(world.one.store->size(), 1U);
  EXPECT_EQ(open.taken, 0);
}

// What it has in memory is old, and must not be continued.
TEST(SharedSessions, AnInstanceThatGetsItBackContinuesWhatTheOtherHad) {
  SharedWorld world;
  {
    SharedClient first(world.one.open());
    first.note(5);
  }
  world.one.run();
  {
    SharedClient second(world.two.open());
    second.note(9);
    second.confirm();
  }
  world.two.run();
  const SharedClient third(world.one.open());
  EXPECT_EQ(third.from(), 9U);
}

TEST(SharedSessions, ANewSubscriptionIsWrittenAtOnceAndThenChangesOnceASecond) {
  SharedWorld world;
  SharedClient client(world.one.open());
  EXPECT_EQ(world.broker.puts, 1);
  client.note(5);
  world.clock.advance(milliseconds(50));
  world.one.run();
  EXPECT_EQ(world.broker.puts, 2);
  for (std::uint64_t number = 6; number < 16; ++number) {
    client.note(number);
    world.clock.advance(milliseconds(99));
    world.one.run();
  }
  EXPECT_EQ(world.broker.puts, 2);
  world.clock.advance(milliseconds(10));
  world.one.run();
  EXPECT_EQ(world.broker.puts, 3);
  EXPECT_EQ(eth::parse_cursor(world.stored().image.subscriptions[0].may_have.back())->number, 15U);
}

TEST(SharedSessions, AnOpenSessionIsWrittenAgainBeforeTheBrokerForgetsIt) {
  SharedWorld world;
  const SharedClient client(world.one.open());
  const int before = world.broker.puts;
  world.clock.advance(std::chrono::minutes(15));
  world.one.run();
  EXPECT_EQ(world.broker.puts, before + 1);
  // It has forgotten it all the same.
  world.broker.records.clear();
  world.clock.advance(std::chrono::minutes(15));
  for (int i = 0; i < 3; ++i) world.one.run();
  EXPECT_EQ(world.stored().instance, 1U);
  EXPECT_EQ(client.taken, 0);
}

TEST(SharedSessions, WithoutTheBrokerOnlyWhatIsHereContinues) {
  SharedWorld world;
  auto first = std::make_unique<SharedClient>(world.one.open());
  first->note(5);
  world.one.run();
  world.broker.is_up = false;
  const auto refused = world.two.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, SharedSessions::Refusal::away);
  EXPECT_EQ(world.two.store->size(), 0U);
  SharedClient second(world.one.open());
  EXPECT_EQ(second.from(), 5U);
  EXPECT_EQ(first->taken, 1);
  second.note(6);
  second.confirm();
  world.one.run();
  world.broker.is_up = true;
  world.one.run();
  EXPECT_EQ(eth::parse_cursor(world.stored().image.subscriptions[0].from)->number, 6U);
}

// Closed, and open again while the broker is away: the copy must not stay "closed".
TEST(SharedSessions, OneThatIsOpenedAgainIsNotClosedAtTheBroker) {
  SharedWorld world;
  {
    SharedClient first(world.one.open());
    first.note(5);
  }
  world.one.run();
  EXPECT_TRUE(world.stored().is_closed);
  const SharedClient again(world.one.open());
  EXPECT_FALSE(world.stored().is_closed);
}

TEST(SharedSessions, ALostAcknowledgementIsFoundByTheNextWrite) {
  SharedWorld world;
  SharedClient client(world.one.open());
  world.broker.loses_acknowledgements = true;
  client.note(5);
  world.clock.advance(seconds(1));
  world.one.run();
  world.broker.loses_acknowledgements = false;
  client.note(6);
  for (int i = 0; i < 4; ++i) {
    world.clock.advance(seconds(1));
    world.one.run();
  }
  EXPECT_EQ(client.taken, 0);
  EXPECT_EQ(eth::parse_cursor(world.stored().image.subscriptions[0].may_have.back())->number, 6U);
}

TEST(SharedSessions, ALostAcknowledgementOfAnOpeningLosesNothing) {
  SharedWorld world;
  {
    SharedClient first(world.one.open());
    first.note(5);
  }
  world.one.run();
  world.broker.loses_acknowledgements = true;
  EXPECT_FALSE(world.two.open());
  world.broker.loses_acknowledgements = false;
  const SharedClient second(world.two.open());
  EXPECT_EQ(second.from(), 5U);
  const SharedClient third(world.one.open());
  EXPECT_EQ(third.from(), 5U);
}

TEST(SharedSessions, OfTwoThatWantItAtOnceBothAreServedAndOneKeepsIt) {
  SharedWorld world;
  {
    SharedClient first(world.one.open());
    first.note(5);
  }
  world.one.run();
  const auto here = world.one.open_later();
  const auto there = world.two.open_later();
  while (!here->has_value() || !there->has_value()) {
    world.one.connection.step();
    world.two.connection.step();
  }
  ASSERT_TRUE(here->has_value() && there->has_value());
  eth::ResumeLease one = **std::move(*here);
  EXPECT_FALSE(one.watch([] {}));
  const SharedClient two(std::move(**there));
  EXPECT_TRUE(two.is_watching);
  EXPECT_EQ(two.from(), 5U);
  EXPECT_EQ(two.taken, 0);
}

// The end of its former connection is noticed late.
TEST(SharedSessions, AnOldConnectionDoesNotEndWhatHasComeBack) {
  SharedWorld world;
  auto first = std::make_unique<SharedClient>(world.one.open());
  first->note(5);
  const auto second = std::make_unique<SharedClient>(world.two.open());
  SharedClient third(world.one.open());
  first.reset();
  EXPECT_TRUE(world.one.store->is_open({1}));
  third.note(6);
  EXPECT_TRUE(third.is_sent);
}

TEST(SharedSessions, OneThatRemembersNothingIsNewElsewhere) {
  SharedWorld world;
  {
    SharedClient first(world.one.open());
    first.note(5);
    first.lease.record().forget(first.lease.owner(), first.claim.slot);
  }
  world.one.run();
  EXPECT_TRUE(world.stored().image.subscriptions.empty());
  EXPECT_FALSE(world.two.open()->is_known());
}

TEST(SharedSessions, RevokedCredentialsEndItAtEveryInstance) {
  SharedWorld world;
  {
    SharedClient first(world.one.open());
    first.note(5);
  }
  world.one.run();
  world.one.store->drop_if([](const void*) { return true; });
  world.one.run();
  EXPECT_FALSE(world.two.open()->is_known());
}

TEST(SharedSessions, ACopyOfANewerVersionIsRefusedAndKept) {
  SharedWorld world;
  {
    SharedClient first(world.one.open());
    first.note(5);
  }
  world.one.run();
  world.broker.records.begin()->second.value[0] = 3;
  const auto refused = world.two.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, SharedSessions::Refusal::unreadable);
  EXPECT_EQ(world.broker.records.begin()->second.value[0], 3);
}

TEST(SharedSessions, OneThatIsTooLongForTheBrokerStaysWhereItIs) {
  SharedWorld world;
  SharedInstance small(world.broker, world.clock, 3, {.bytes_max = 300});
  SharedClient first(small.open());
  small.run();
  for (std::uint64_t topic = 0; topic < 20; ++topic) {
    const auto slot =
        first.lease.record().claim(first.lease.owner(), eth::hash_of_topic(std::to_string(topic)), {})->slot;
    first.lease.record().note(first.lease.owner(), slot, mark(5), eth::ResumeRecord::Change::adds);
  }
  world.clock.advance(seconds(1));
  small.run();
  EXPECT_GT(small.shared.counters().too_long, 0U);
  const auto refused = world.two.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, SharedSessions::Refusal::away);
  EXPECT_EQ(first.taken, 0);
  EXPECT_TRUE(small.store->has({1}));
  EXPECT_EQ(small.connection.wants_of_larger, 0) << "its own limit";
}

TEST(SharedSessions, ALargerRecordOfTheBrokerIsWantedWhenOneIsTooLong) {
  SharedWorld world;
  SharedClient first(world.one.open());
  world.one.connection.broker_bytes_max = 8;
  first.note(5);
  world.clock.advance(seconds(1));
  world.one.run();
  EXPECT_GT(world.one.connection.wants_of_larger, 0);
}

TEST(SharedSessions, LimitsOfTheInstanceApplyToWhatMovesThere) {
  SharedWorld world;
  SharedInstance full(world.broker, world.clock, 3, {}, {.sessions_max = 0});
  SharedClient first(world.one.open());
  first.note(5);
  const auto refused = full.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, SharedSessions::Refusal::limit);
  EXPECT_EQ(refused.error().limit, eth::ResumeRefusal::off);
}

TEST(SharedSessions, OpeningsAreLimited) {
  SharedWorld world;
  SharedInstance small(world.broker, world.clock, 3, {.openings_max = 2});
  const auto one = small.open_later();
  const auto two = small.open_later();
  const auto three = small.open_later();
  small.run();
  EXPECT_TRUE((*one)->has_value());
  EXPECT_TRUE((*two)->has_value());
  ASSERT_FALSE((*three)->has_value());
  EXPECT_EQ((*three)->error().why, SharedSessions::Refusal::away);
}

TEST(SharedSessions, WritesInFlightAreLimited) {
  SharedWorld world;
  SharedInstance small(world.broker, world.clock, 3, {.writes_in_flight_max = 2});
  std::vector<SharedInstance::Result> results;
  for (std::uint8_t number = 1; number <= 5; ++number) {
    small.shared.open(small.store, {.key = {number}, .counts_for = "", .identity = nullptr},
                      [&](SharedInstance::Result got) { results.push_back(std::move(got)); });
  }
  small.run();
  ASSERT_EQ(results.size(), 5U);
  for (auto& result : results) {
    const auto slot = result->record().claim(result->owner(), eth::hash_of_topic("logs"), {})->slot;
    result->record().note(result->owner(), slot, mark(5), eth::ResumeRecord::Change::adds);
  }
  world.clock.advance(seconds(1));
  const int before = world.broker.puts;
  small.shared.on_tick(world.clock.now());
  while (small.connection.step()) {
  }
  EXPECT_EQ(world.broker.puts, before + 2);
  small.run();
  small.run();
  EXPECT_EQ(world.broker.puts, before + 5);
}

}  // namespace
}  // namespace fanfare::gateway
