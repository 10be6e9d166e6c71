// Topics whose offsets come from a broker.

#include "pubsub/relay.h"

#include <gtest/gtest.h>

#include "pubsub/hub_world_for_tests.h"

namespace fanfare::pubsub {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

class RelayTest : public testing::Test {
 public:
  RelayTest() {
    relay.set_connected(true);
    other.set_connected(true);
    relay.step_in("t");
    other.step_in("t");
    world.run_all();
    second.run_all();
  }
  bool publish(ManualLoops& from, const std::shared_ptr<Topic>& topic, std::string_view text) {
    return from.hub.publish(topic, bytes_of(text), [this](std::optional<Position> where) {
      receipts.push_back(where ? where->offset : 0);
    }) == PublishResult::accepted;
  }
  void settle() {
    while (relay.step_out() || other.step_out()) {
    }
    while (relay.step_in("t")) {
    }
    while (other.step_in("t")) {
    }
    world.run_all();
    second.run_all();
  }

  void pass_seconds(Duration time) {
    for (; time > Duration::zero(); time -= 1s) world.advance(1s);
  }

  const TopicSetup setup{.history = {.messages_max = 100}, .relayed = true, .encode = with_position};
  FakeBroker broker{5};
  FakeBroker::Instance relay{broker};
  FakeBroker::Instance other{broker};
  ManualLoops world{2, {}, 1, &relay};
  ManualLoops second{3, {}, 2, &other};
  std::shared_ptr<Topic> here = *world.hub.add("t", setup);
  std::shared_ptr<Topic> there = *second.hub.add("t", setup);
  std::vector<std::uint64_t> receipts;
};

TEST_F(RelayTest, AllInstancesHaveTheSameEventsAtTheSamePositions) {
  Follower a;
  Follower b;
  a.join(world.at(1), here);
  b.join(second.at(2), there);
  EXPECT_EQ(a.at, (Position{5, 0}));
  publish(world, here, "x");
  publish(second, there, "y");
  publish(world, here, "z");
  settle();
  EXPECT_EQ(a.got.size(), 3U);
  EXPECT_EQ(a.got, b.got);
  EXPECT_EQ(a.positions, b.positions);
  EXPECT_EQ(receipts.size(), 3U);
  // And a client may go on with the other instance.
  Follower moved;
  EXPECT_TRUE(moved.join(second.at(0), there, {.since = a.positions[1]})->recovered);
  moved.read(SIZE_MAX);
  EXPECT_EQ(moved.got, Texts{a.got[2]});
}

TEST_F(RelayTest, DuplicatesAreDropped) {
  Follower a;
  a.join(world.at(0), here);
  for (const char* text : {"x", "y", "z"}) publish(world, here, text);
  settle();
  relay.repeat("t", 2);
  publish(world, here, "last");
  settle();
  EXPECT_EQ(a.got, (Texts{"x", "y", "z", "last"}));
  EXPECT_TRUE(a.missed_ranges.empty());
}

TEST_F(RelayTest, WhatTheBrokerLostIsToldExactly) {
  for (const bool says_so : {true, false}) {
    Follower a;
    Follower behind;
    behind.room = 0;
    a.join(world.at(0), here);
    behind.join(world.at(1), here, {.policy = TopicPolicy{.when_full = WhenFull::drop_oldest}});
    const Position before = a.at;
    for (const char* text : {"1", "2", "3", "4"}) publish(second, there, text);
    while (other.step_out()) {
    }
    relay.step_in("t");
    relay.lose("t", 2, says_so);
    settle();
    EXPECT_EQ(a.got, (Texts{"1", "4"})) << says_so;
    ASSERT_EQ(a.missed_ranges.size(), 1U);
    EXPECT_EQ(a.missed_ranges.front(),
              (Missed{.after = {5, before.offset + 1}, .until = {5, before.offset + 3}}));
    behind.read(SIZE_MAX);
    EXPECT_EQ(behind.got, a.got);
    EXPECT_EQ(behind.missed_ranges, a.missed_ranges);
    // A join before the hole gets it where it is, and knows.
    Follower late;
    const auto joined = late.join(world.at(0), here, {.since = before});
    EXPECT_FALSE(joined->recovered);
    EXPECT_FALSE(joined->missing);
    late.read(SIZE_MAX);
    EXPECT_EQ(late.got, a.got);
    EXPECT_EQ(late.missed_ranges, a.missed_ranges);
  }
}

TEST_F(RelayTest, AHoleAtTheEndIsToldAtOnce) {
  Follower a;
  a.join(world.at(1), here);
  for (const char* text : {"1", "2"}) publish(second, there, text);
  while (other.step_out()) {
  }
  relay.lose("t", 2, true);
  world.run_all();
  EXPECT_EQ(a.missed_ranges, (std::vector{Missed{.after = {5, 0}, .until = {5, 2}}}));
  EXPECT_EQ(here->metrics().missed, 2U);
}

TEST_F(RelayTest, ABrokerThatBeginsAgainIsAnotherEpoch) {
  Follower a;
  Follower behind;
  behind.room = 0;
  a.join(world.at(0), here);
  behind.join(world.at(0), here, {.policy = TopicPolicy{.when_full = WhenFull::keep_latest}});
  publish(world, here, "old");
  settle();
  broker.epoch = 6;
  broker.streams.clear();
  relay.restart("t");
  other.restart("t");
  publish(world, here, "new");
  settle();
  EXPECT_EQ(a.got, (Texts{"old", "new"}));
  ASSERT_EQ(a.missed_ranges.size(), 1U);
  EXPECT_FALSE(a.missed_ranges.front().is_counted());
  behind.read(SIZE_MAX);
  EXPECT_EQ(behind.got, Texts{"new"});
  EXPECT_EQ(behind.at, (Position{6, 1}));
  Follower late;
  EXPECT_FALSE(late.join(world.at(1), here, {.since = Position{5, 1}})->recovered);
}

TEST_F(RelayTest, WhoeverIsAheadForLongIsToldThatTheBrokerHasLostIt) {
  Follower a;
  EXPECT_TRUE(a.join(world.at(1), here, {.since = Position{5, 3}})->recovered);
  pass_seconds(RelayedTopics::kAheadWait - 1s);
  EXPECT_TRUE(a.missed_ranges.empty());
  pass_seconds(1s);
  EXPECT_EQ(a.missed_ranges, (std::vector<Missed>{{.after = {5, 3}, .until = {5, 0}}}));
  for (const char* text : {"1", "2", "3", "4"}) publish(world, here, text);
  settle();
  EXPECT_EQ(a.got, (Texts{"1", "2", "3", "4"}));
  // No timer is left.
  pass_seconds(1s);
  EXPECT_EQ(world.port(1).timers(), 0U);
}

TEST_F(RelayTest, WhoeverIsAheadOfALateInstanceMissesNothing) {
  for (const char* text : {"1", "2", "3"}) publish(second, there, text);
  while (other.step_out()) {
  }
  Follower a;
  a.join(world.at(0), here, {.since = Position{5, 2}});
  pass_seconds(RelayedTopics::kAheadWait - 1s);
  settle();
  pass_seconds(2s);
  EXPECT_EQ(a.got, Texts{"3"});
  EXPECT_TRUE(a.missed_ranges.empty());
}

TEST_F(RelayTest, WhoeverWasAheadAndIsAtTheEndNowMissesNothing) {
  for (const char* text : {"1", "2"}) publish(second, there, text);
  while (other.step_out()) {
  }
  Follower a;
  a.join(world.at(0), here, {.since = Position{5, 2}});
  settle();
  pass_seconds(RelayedTopics::kAheadWait);
  EXPECT_TRUE(a.missed_ranges.empty());
  publish(world, here, "3");
  settle();
  EXPECT_EQ(a.got, Texts{"3"});
}

// The relay says where the topic begins only after the usual time is over.
TEST_F(RelayTest, WhoeverComesBeforeTheTopicIsKnownIsAheadOfIt) {
  const std::shared_ptr<Topic> late = *world.hub.add("late", setup);
  Follower a;
  a.join(world.at(0), late, {.since = Position{5, 3}});
  pass_seconds(RelayedTopics::kAheadWait);
  relay.sink()->on_lost("late", {.epoch = 5, .offset = 1});
  world.run_all();
  pass_seconds(RelayedTopics::kAheadWait - 1s);
  EXPECT_TRUE(a.missed_ranges.empty());
  pass_seconds(1s);
  EXPECT_EQ(a.missed_ranges, (std::vector<Missed>{{.after = {5, 3}, .until = {5, 1}}}));
}

TEST_F(RelayTest, NobodyIsJudgedWhileTheBrokerIsAway) {
  for (const char* text : {"1", "2"}) publish(second, there, text);
  while (other.step_out()) {
  }
  Follower a;
  a.join(world.at(0), here, {.since = Position{5, 2}});
  pass_seconds(RelayedTopics::kAheadWait - 1s);
  relay.set_connected(false);
  world.run_all();
  pass_seconds(2 * RelayedTopics::kAheadWait);
  relay.set_connected(true);
  world.run_all();
  pass_seconds(RelayedTopics::kAheadWait - 1s);
  EXPECT_TRUE(a.missed_ranges.empty());
  pass_seconds(1s);
  EXPECT_EQ(a.missed_ranges.size(), 1U);
}

// Some of what it had seen is still there, and the rest of the places may have other events by now.
TEST_F(RelayTest, WhoeverIsAheadGetsEverythingThatIsThere) {
  for (const char* text : {"1", "2"}) publish(world, here, text);
  settle();
  Follower a;
  Follower paced;
  a.join(world.at(0), here, {.since = Position{5, 4}});
  paced.join(world.at(0), here,
             {.since = Position{5, 4}, .policy = TopicPolicy{.when_full = WhenFull::drop_oldest}});
  pass_seconds(RelayedTopics::kAheadWait);
  for (Follower* const each : {&a, &paced}) {
    EXPECT_TRUE(each->ready);
    EXPECT_EQ(each->missed_ranges, (std::vector<Missed>{{.after = {5, 4}, .until = {5, 0}}}));
    each->read(SIZE_MAX);
    EXPECT_EQ(each->got, (Texts{"1", "2"}));
  }
  publish(world, here, "3");
  settle();
  EXPECT_EQ(a.got, (Texts{"1", "2", "3"}));
  EXPECT_EQ(paced.got, a.got);
}

// The time goes on from one connection to the next.
TEST_F(RelayTest, WhoeverIsAheadAndConnectsAgainAndAgainIsTold) {
  {
    Follower first;
    first.join(world.at(0), here, {.since = Position{5, 4}});
    pass_seconds(RelayedTopics::kAheadWait - 3s);
  }
  pass_seconds(2s);
  Follower again;
  Follower less;
  again.join(world.at(0), here, {.since = Position{5, 5}});
  pass_seconds(1s);
  EXPECT_EQ(again.missed_ranges.size(), 1U);
  less.join(world.at(0), here, {.since = Position{5, 3}});
  pass_seconds(RelayedTopics::kAheadWait - 1s);
  EXPECT_TRUE(less.missed_ranges.empty());
  pass_seconds(1s);
  EXPECT_EQ(less.missed_ranges.size(), 1U);
}

TEST_F(RelayTest, WhatWasAheadIsForgottenWhenItComesAndAfterAWhile) {
  {
    Follower a;
    a.join(world.at(0), here, {.since = Position{5, 2}});
  }
  pass_seconds(RelayedTopics::kAheadWait);
  for (const char* text : {"1", "2"}) publish(second, there, text);
  settle();
  pass_seconds(1s);
  EXPECT_EQ(world.port(0).timers(), 0U);
  Follower b;
  b.join(world.at(0), here, {.since = Position{5, 3}});
  pass_seconds(RelayedTopics::kAheadWait - 1s);
  EXPECT_TRUE(b.missed_ranges.empty());
  pass_seconds(70s);
  EXPECT_EQ(world.port(0).timers(), 0U);
}

// What it is told may end its session, and that of others.
TEST_F(RelayTest, WhoeverIsAheadMayLeaveAnyTime) {
  auto a = std::make_unique<Follower>();
  auto b = std::make_unique<Follower>();
  auto c = std::make_unique<Follower>();
  for (const auto& each : {&a, &b, &c}) (*each)->join(world.at(0), here, {.since = Position{5, 3}});
  a->after_missed = [&] { b.reset(); };
  c.reset();
  pass_seconds(RelayedTopics::kAheadWait);
  EXPECT_EQ(a->missed_ranges.size(), 1U);
  EXPECT_EQ(b, nullptr);
}

TEST_F(RelayTest, WhileTheRelayIsDownPublishersAndSubscribersKnow) {
  Follower a;
  EXPECT_FALSE(a.join(world.at(1), here)->is_degraded);
  publish(world, here, "unanswered");
  relay.set_connected(false);
  world.run_all();
  EXPECT_EQ(receipts, std::vector<std::uint64_t>{0});
  EXPECT_EQ(a.notices, std::vector{TopicNotice::degraded});
  EXPECT_EQ(world.hub.publish(here, bytes_of("x")), PublishResult::relay_unavailable);
  EXPECT_EQ(here->refused(PublishResult::relay_unavailable), 1U);
  Follower late;
  EXPECT_TRUE(late.join(world.at(0), here)->is_degraded);
  publish(second, there, "meanwhile");
  other.step_out();
  relay.set_connected(true);
  settle();
  EXPECT_EQ(a.notices, (std::vector{TopicNotice::degraded, TopicNotice::restored}));
  EXPECT_EQ(a.got, Texts{"meanwhile"});
}

TEST_F(RelayTest, ATopicThatKeepsPublishesWhenTheRelayIsBackAndAtTheLimitRefuses) {
  TopicSetup keeps = setup;
  keeps.when_relay_down = WhenRelayDown::keep;
  keeps.limits.pending_messages_max = 2;
  const auto kept = *world.hub.add("k", keeps);
  relay.step_in("k");
  world.run_all();
  Follower a;
  a.join(world.at(1), kept);
  relay.set_connected(false);
  world.run_all();
  EXPECT_TRUE(publish(world, kept, "1"));
  EXPECT_TRUE(publish(world, kept, "2"));
  EXPECT_EQ(world.hub.publish(kept, bytes_of("3")), PublishResult::topic_messages_full);
  relay.set_connected(true);
  while (relay.step_out()) {
  }
  while (relay.step_in("k")) {
    world.run_all();
  }
  EXPECT_EQ(a.got, (Texts{"1", "2"}));
  EXPECT_EQ(receipts, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(RelayTest, ARelayThatIsFullAndAHubThatIsFullRefuseAndNothingIsLost) {
  relay.unanswered_max = 1;
  EXPECT_TRUE(publish(world, here, "1"));
  EXPECT_FALSE(publish(world, here, "2"));
  settle();
  const auto small =
      *world.hub.add("s", {.limits = {.pending_messages_max = 1}, .relayed = true, .encode = with_position});
  relay.step_in("s");
  world.run_all();
  Follower a;
  a.join(world.at(0), small);
  broker.streams["s"] = {bytes_of("x"), bytes_of("y")};
  EXPECT_TRUE(relay.step_in("s"));
  EXPECT_FALSE(relay.step_in("s"));  // and the relay offers it again
  world.run_all();
  EXPECT_TRUE(relay.step_in("s"));
  world.run_all();
  EXPECT_EQ(a.got, (Texts{"x", "y"}));
}

}  // namespace
}  // namespace fanfare::pubsub
