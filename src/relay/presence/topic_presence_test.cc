// Presence over instances that are killed, hang and lose answers, with a broker in memory.

#include "relay/presence/topic_presence.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "relay/presence/presence_world_for_tests.h"

namespace fanfare::relay {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Names = std::set<std::string>;

// It was hung, and writes on before it has read that.
TEST(PresenceTable, ALogThatIsGoneCountsNoMore) {
  const MemberLog hung{.instance = 2, .turn = 0};
  PresenceTable table({.instance = 1, .turn = 0});
  table.take(hung, 1, {.change = {.joined = {"ann"}, .left = {}}});
  EXPECT_TRUE(table.has_untold(9));
  table.take_told(2, {.kind = PresenceRecord::Kind::gone, .gone = {hung}});
  EXPECT_FALSE(table.has_untold(9));
  table.take(hung, 3, {.change = {.joined = {"ann"}, .left = {}}});
  EXPECT_FALSE(table.has_untold(9));
}

class TopicPresenceTest : public testing::Test {
 public:
  TopicPresenceTest() { log::set_level(log::Level::error); }
  ~TopicPresenceTest() override { log::set_level(log::Level::info); }

  PresenceWorld world;
};

TEST_F(TopicPresenceTest, AMemberAtTwoInstancesCountsOnce) {
  auto& a = world.add();
  auto& b = world.add();
  a.join("ann");
  b.join("ann");
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told_events(), 1U);
  EXPECT_EQ(a.members, Names{"ann"});
  EXPECT_EQ(b.last.instances, 2U);
  a.leave("ann");
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told_events(), 1U);
  b.leave("ann");
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told_events(), 2U);
  world.expect_told();
}

TEST_F(TopicPresenceTest, WhoGoesToAnotherInstanceIsNoChange) {
  auto& a = world.add();
  auto& b = world.add();
  b.join("bob");
  a.join("ann");
  world.pass(seconds(3));
  const std::size_t events = world.kept.told_events();
  a.leave("ann");
  world.pass(milliseconds(300));
  b.join("ann");
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told_events(), events);
  world.expect_told();
}

// With either of them as the teller.
TEST_F(TopicPresenceTest, MembersOfAKilledInstanceAreToldWithinFiveSeconds) {
  for (const std::size_t killed : {0U, 1U}) {
    PresenceWorld one;
    one.add();
    one.add();
    auto& gone = *one.all[killed];
    auto& stays = *one.all[1 - killed];
    gone.join("ann");
    gone.join("moved");
    gone.join("both");
    stays.join("bob");
    stays.join("both");
    one.pass(seconds(3));
    const std::size_t events = one.kept.told_events();
    gone.is_dead = true;
    one.pass(milliseconds(1500));
    stays.join("moved");
    one.pass(milliseconds(3500));
    EXPECT_EQ(one.kept.told_events(), events + 1);
    EXPECT_EQ(one.kept.events.back().text, "-ann ");
    EXPECT_EQ(stays.last.gone, 1U);
    EXPECT_EQ(stays.last.instances, 1U);
    one.expect_told();
    for (const auto& record : one.kept.records)
      EXPECT_NE(record.log, std::optional(MemberLog{.instance = gone.id}));
  }
}

// Every step of either instance goes wrong in every way; what is told is complete, and told once.
TEST_F(TopicPresenceTest, WhateverStepGoesWrongEachChangeIsToldOnce) {
  int failures = 0;
  for (const Fault fault :
       {Fault::killed_before, Fault::killed_after, Fault::answer_lost, Fault::request_lost, Fault::hangs}) {
    for (const std::size_t faulty : {0U, 1U, 2U}) {
      bool has_failed = true;
      for (int step = 0; has_failed && step < 100; ++step) {
        PresenceWorld one;
        for (int i = 0; i < 3; ++i) one.add();
        auto& culprit = *one.all[faulty];
        culprit.broker.fail_at(step, fault, [&] { one.pass(seconds(12)); });
        for (const auto& each : one.all) each->join("m" + std::to_string(each->id));
        culprit.join("of_culprit");
        one.pass(seconds(3));
        auto& other = *one.all[(faulty + 1) % 3];
        other.leave("m" + std::to_string(other.id));
        other.join("late");
        one.pass(seconds(3));
        culprit.leave("of_culprit");
        one.pass(seconds(20));
        SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " of " + std::to_string(faulty) +
                     " at " + std::to_string(step));
        one.expect_told();
        has_failed = culprit.broker.has_failed();
        failures += has_failed ? 1 : 0;
        if (HasFailure()) return;
      }
    }
  }
  EXPECT_GT(failures, 60);
}

// A topic with other events between all steps.
TEST_F(TopicPresenceTest, ABusyTopicGetsTheEventAfterSomeAttempts) {
  auto& a = world.add();
  a.broker.before_publish = [&] { world.kept.events.push_back({0, "other"}); };
  a.join("ann");
  world.pass(seconds(4));
  EXPECT_EQ(world.kept.told(), Names{"ann"});
  EXPECT_EQ(a.broker.unfenced, 1);
  int left = 3;
  a.broker.before_publish = [&] {
    if (left-- > 0) world.kept.events.push_back({0, "other"});
  };
  a.join("bob");
  world.pass(seconds(4));
  EXPECT_EQ(world.kept.told(), (Names{"ann", "bob"}));
  EXPECT_EQ(a.broker.unfenced, 1);
}

TEST_F(TopicPresenceTest, AThousandMembersThatComeAndGoCostWhatChanges) {
  auto& a = world.add();
  auto& b = world.add();
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < 1000; ++i) {
      auto& one = i % 2 == 0 ? a : b;
      round % 2 == 0 ? one.join("m" + std::to_string(i)) : one.leave("m" + std::to_string(i));
    }
    world.pass(milliseconds(500));
  }
  world.pass(seconds(3));
  // One event an interval, with two records of its own; one record of each instance a round, and bases now and then.
  EXPECT_LE(world.kept.told_events(), static_cast<std::size_t>(kRounds / 2 + 4));
  EXPECT_LE(world.kept.appended, static_cast<std::size_t>(2 * kRounds + 2 * (kRounds / 2 + 4) + 20));
  EXPECT_LE(world.kept.records.size(), 40U);
  world.expect_told();
}

TEST_F(TopicPresenceTest, NoMoreMembersAreToldThanThereIsRoomFor) {
  auto& a = world.add(3);
  auto& b = world.add(3);
  for (const char* name : {"a", "b", "c"}) a.join(name);
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told(), (Names{"a", "b", "c"}));
  b.join("d");
  b.join("e");
  world.pass(seconds(8));
  EXPECT_EQ(world.kept.told(), (Names{"a", "b", "c"}));
  EXPECT_EQ(b.members, (Names{"a", "b", "c"}));
  a.leave("b");
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told(), (Names{"a", "c", "d"}));
}

// More names than a record holds.
TEST_F(TopicPresenceTest, ManyAndLongNamesTakeSeveralRecordsAndEvents) {
  auto& a = world.add(10'000);
  auto& b = world.add(10'000);
  for (int i = 0; i < 900; ++i) a.join(std::string(250, 'x') + std::to_string(1000 + i));
  world.pass(seconds(3));
  EXPECT_EQ(b.members.size(), 900U);
  EXPECT_EQ(world.kept.told_events(), 4U);
  world.expect_told();
  for (const auto& record : world.kept.records) EXPECT_LT(record.bytes.size(), kRecordNameBytesMax + 1000);
}

// Of a reader that begins later, and of one that was at it while the log was written anew.
TEST_F(TopicPresenceTest, ALongLogIsWrittenAnewAndReadsTheSame) {
  auto& a = world.add();
  for (int i = 0; i < 700; ++i) a.join(std::to_string(i));
  world.pass(seconds(2));
  for (int i = 100; i < 700; ++i) a.leave(std::to_string(i));
  world.pass(seconds(2));
  for (int i = 0; i < 300; ++i) a.join("more" + std::to_string(i));
  world.pass(seconds(2));
  for (int i = 0; i < 300; ++i) a.leave("more" + std::to_string(i));
  world.pass(seconds(4));
  auto& b = world.add();
  b.join("bob");
  world.pass(seconds(3));
  EXPECT_EQ(b.members.size(), 101U);
  world.expect_told();
  std::size_t bytes = 0;
  for (const auto& record : world.kept.records) bytes += record.bytes.size();
  EXPECT_LT(bytes, 20'000U);
  EXPECT_GT(world.kept.records.front().sequence, 4U);
}

TEST_F(TopicPresenceTest, WhileTheBrokerIsAwayNothingIsToldAndThenTheDifferenceInOneEvent) {
  auto& a = world.add();
  auto& b = world.add();
  a.join("ann");
  b.join("bob");
  world.pass(seconds(3));
  const std::size_t events = world.kept.told_events();
  a.broker.is_away = b.broker.is_away = true;
  a.leave("ann");
  a.join("new");
  a.join("short");
  world.pass(seconds(20));
  a.leave("short");
  EXPECT_EQ(world.kept.told_events(), events);
  for (const auto& one : world.all) {
    one->broker.is_away = false;
    one->peers.reconnected(world.clock.now());
  }
  world.pass(seconds(6));
  EXPECT_EQ(world.kept.told_events(), events + 1);
  EXPECT_EQ(world.kept.events.back().text, "+new -ann ");
  EXPECT_EQ(a.last.gone + b.last.gone, 0U);
  world.expect_told();
}

// Alone: it was hung, or cut off. Others are told that its members left, and then that they are back.
TEST_F(TopicPresenceTest, OneThatWasCountedAsGoneComesBackUnderAnotherLog) {
  auto& a = world.add();
  auto& b = world.add();
  a.join("ann");
  b.join("bob");
  world.pass(seconds(3));
  b.broker.is_away = true;
  world.pass(seconds(6));
  EXPECT_EQ(world.kept.told(), Names{"ann"});
  b.broker.is_away = false;
  b.peers.reconnected(world.clock.now());
  world.pass(seconds(4));
  EXPECT_EQ(b.presence.table().self(), (MemberLog{.instance = b.id, .turn = 1}));
  world.expect_told();
}

TEST_F(TopicPresenceTest, WhatTheBrokerForgetsIsNotToldAgain) {
  auto& a = world.add();
  auto& b = world.add();
  a.join("ann");
  b.join("bob");
  world.pass(seconds(3));
  const std::size_t events = world.kept.told_events();
  world.kept.records.clear();
  world.kept.last = 0;
  world.read_again(a);
  world.pass(seconds(1));
  world.read_again(b);
  world.pass(seconds(8));
  EXPECT_EQ(world.kept.told_events(), events);
  a.leave("ann");
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told_events(), events + 1);
  world.expect_told();
}

// Its stream was deleted after the `tell`: the event goes into the new one.
TEST_F(TopicPresenceTest, ATopicThatWasDeletedGetsTheOpenEvent) {
  auto& a = world.add();
  a.broker.before_publish = [&] {
    world.kept.epoch = 8;
    world.kept.events.clear();
    a.broker.before_publish = {};
  };
  a.join("ann");
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told(), Names{"ann"});
}

// And if another instance has published it there, it is found.
TEST_F(TopicPresenceTest, AnOpenEventIsSearchedForInTheNewStreamOfATopic) {
  auto& a = world.add();
  for (int i = 0; i < 3; ++i) world.kept.events.push_back({0, "other"});
  a.broker.before_publish = [&] {
    world.kept.epoch = 8;
    world.kept.events = {{decode(as_bytes(world.kept.records.back().bytes))->event, "+ann "}};
    a.broker.before_publish = {};
  };
  a.join("ann");
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told_events(), 1U);
  EXPECT_EQ(world.kept.told(), Names{"ann"});
}

TEST_F(TopicPresenceTest, AnEventThatIsTooLargeIsGivenUp) {
  auto& a = world.add();
  a.broker.payload_max = 10;
  a.join(std::string(20, 'x'));
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told_events(), 0U);
  EXPECT_EQ(a.members.size(), 1U);
  a.join("ann");
  world.pass(seconds(3));
  EXPECT_EQ(world.kept.told_events(), 1U);
}

TEST_F(TopicPresenceTest, WithoutMembersAnInstanceStaysForAWhileAndThenLeaves) {
  auto& a = world.add();
  auto& b = world.add();
  a.join("ann");
  b.join("bob");
  world.pass(seconds(3));
  a.leave("ann");
  world.pass(TopicPresence::kStayFor);
  EXPECT_FALSE(a.presence.may_close());
  world.pass(seconds(3));
  EXPECT_TRUE(a.presence.may_close());
  EXPECT_FALSE(b.presence.may_close());
  a.is_dead = true;
  // Whoever it is that tells now.
  b.join("new");
  world.pass(seconds(2));
  EXPECT_EQ(world.kept.told(), (Names{"bob", "new"}));
  world.pass(seconds(4));
  EXPECT_EQ(b.last.gone, 1U);
}

TEST_F(TopicPresenceTest, WhateverHappensTheEventsAddUp) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    PresenceWorld one;
    for (int i = 0; i < 3; ++i) one.add();
    for (int step = 0; step < 60; ++step) {
      auto& each = *one.all[random.below(one.all.size())];
      const std::string name(1, static_cast<char>('a' + random.below(6)));
      if (!each.is_dead) random.below(2) == 0 ? each.join(name) : each.leave(name);
      if (random.below(12) == 0 && !each.is_busy) {
        const auto fault = static_cast<Fault>(random.below(5));
        each.broker.fail_at(static_cast<int>(random.below(6)), fault, [&one] { one.pass(seconds(9)); });
      }
      if (random.below(20) == 0) one.add();
      one.pass(milliseconds(random.below(1500)));
    }
    one.add().join("last");
    one.pass(seconds(25));
    one.expect_told();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace fanfare::relay
