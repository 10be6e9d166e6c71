// Topics whose presence is that of all instances: what the hub gives its relay, and what it makes of the reports.

#include "pubsub/relayed_presence.h"

#include <gtest/gtest.h>

#include <map>

#include "pubsub/hub_world_for_tests.h"

namespace fanfare::pubsub {
namespace {

using std::chrono::milliseconds;
using Names = std::vector<std::string>;

class FakePresence final : public RelayedPresence {
 public:
  struct Watched {
    std::uint64_t id = 0;
    RelayedPresenceSetup setup;
    std::vector<PresenceChange> changes;
    bool is_over = false;
  };
  void watch(std::string_view topic, std::uint64_t id, RelayedPresenceSetup setup) override {
    EXPECT_FALSE(watched.contains(std::string(topic))) << "again";
    watched[std::string(topic)] = {.id = id, .setup = std::move(setup), .changes = {}};
  }
  void change(std::string_view topic, std::uint64_t id, PresenceChange change) override {
    EXPECT_EQ(watched[std::string(topic)].id, id);
    watched[std::string(topic)].changes.push_back(std::move(change));
  }
  void unwatch(std::string_view topic, std::uint64_t id) override {
    EXPECT_EQ(watched[std::string(topic)].id, id);
    watched[std::string(topic)].is_over = true;
  }

  std::map<std::string, Watched> watched;
};

class RelayedPresenceTest : public testing::Test {
 public:
  void pass(milliseconds time) {
    world.run_all();
    world.advance(time);
    world.run_all();
  }

  const TopicSetup setup{
      .limits = {.presence_members_max = 5},
      .presence = true,
      .presence_interval = milliseconds(200),
      .relayed = true,
      .encode = with_position,
      .describe_presence = [](const PresenceChange& /*change*/) { return bytes_of("changed"); }};
  FakeBroker broker{5};
  FakePresence presence;
  FakeBroker::Instance relay{broker};
  bool is_set_up = [this] {
    relay.its_presence = &presence;
    return relay.connected = true;
  }();
  ManualLoops world{2, {}, 1, &relay};
  std::shared_ptr<Topic> topic = *world.hub.add("t", setup);
};

TEST_F(RelayedPresenceTest, MembersOfThisInstanceGoToTheRelayTwiceAnInterval) {
  pass(milliseconds(500));
  EXPECT_TRUE(presence.watched.empty());
  Follower ann;
  Follower again;
  Follower bob;
  ann.join(world.at(0), topic, {.member = "ann"});
  again.join(world.at(1), topic, {.member = "ann"});
  {
    Follower short_lived;
    short_lived.join(world.at(1), topic, {.member = "eve"});
  }
  pass(milliseconds(99));
  EXPECT_TRUE(presence.watched.empty());
  pass(milliseconds(1));
  const auto& watched = presence.watched["t"];
  EXPECT_EQ(watched.setup.interval, milliseconds(200));
  EXPECT_EQ(watched.setup.members_max, 5U);
  ASSERT_EQ(watched.changes.size(), 1U);
  EXPECT_EQ(watched.changes[0].joined, Names{"ann"});
  EXPECT_EQ(watched.changes[0].left, Names{});
  bob.join(world.at(0), topic, {.member = "bob"});
  pass(milliseconds(100));
  ASSERT_EQ(watched.changes.size(), 2U);
  EXPECT_EQ(watched.changes[1].joined, Names{"bob"});
  // It publishes nothing itself.
  EXPECT_FALSE(relay.step_out());
}

TEST_F(RelayedPresenceTest, TheListIsWhatTheRelayReports) {
  Follower ann;
  ann.join(world.at(0), topic, {.member = "ann"});
  pass(milliseconds(100));
  EXPECT_EQ(*topic->members(), Names{});
  const auto& report = presence.watched["t"].setup.report;
  report({.change = {.joined = {"zoe", "ann", "bob"}, .left = {}}, .instances = 2});
  const auto members = topic->members();
  EXPECT_EQ(*members, (Names{"ann", "bob", "zoe"}));
  EXPECT_EQ(topic->members(), members);  // made once
  EXPECT_EQ(topic->metrics().members, 3U);
  EXPECT_EQ(topic->metrics().instances, 2U);
  report({.change = {.joined = {}, .left = {"bob"}}, .instances = 1, .gone = 1});
  EXPECT_EQ(*topic->members(), (Names{"ann", "zoe"}));
  EXPECT_EQ(topic->metrics().instances_gone, 1U);
  EXPECT_EQ(members->size(), 3U);
  report({.is_over = true});
  EXPECT_EQ(*topic->members(), Names{});
}

TEST_F(RelayedPresenceTest, ATopicThatIsRemovedIsNotWatchedAnyMore) {
  Follower ann;
  ann.join(world.at(0), topic, {.member = "ann"});
  pass(milliseconds(100));
  EXPECT_FALSE(presence.watched["t"].is_over);
  world.hub.remove(*topic);
  world.run_all();
  EXPECT_TRUE(presence.watched["t"].is_over);
}

TEST_F(RelayedPresenceTest, WhatCannotBeIsAnError) {
  TopicSetup none = setup;
  none.limits.presence_members_max = 0;
  EXPECT_EQ(world.hub.add("none", none).error(), "limits.presence_members_max: more than zero");
  relay.its_presence = nullptr;
  EXPECT_EQ(world.hub.add("own", setup).error(),
            "presence: the relay of this hub does not carry it; that of fanfare/nats.h does");
}

}  // namespace
}  // namespace fanfare::pubsub
