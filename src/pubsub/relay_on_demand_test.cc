// Topics that are read from a broker only while somebody subscribes to them.

#include <gtest/gtest.h>

#include "pubsub/hub_world_for_tests.h"
#include "pubsub/relay.h"

namespace fanfare::pubsub {
namespace {

using Texts = std::vector<std::string>;

Texts numbers(std::uint64_t from, std::uint64_t to) {
  Texts made;
  for (std::uint64_t i = from; i <= to; ++i) made.push_back(std::to_string(i));
  return made;
}

class OnDemandTest : public testing::Test {
 public:
  // The broker has `count` events more; each one's text is its offset.
  void store(std::uint64_t count) {
    auto& stream = broker.streams["t"];
    for (std::uint64_t i = 0; i < count; ++i) stream.push_back(bytes_of(std::to_string(stream.size() + 1)));
  }
  // Everything that is under way arrives.
  void settle() {
    for (bool moved = true; moved;) {
      world.run_all();
      moved = relay.step_in("t");
      moved = relay.step_read() || moved;
      for (Follower* const one : readers) {
        if (!one->ready) continue;
        one->read(SIZE_MAX);
        moved = true;
      }
    }
  }
  void watch(Follower& one, std::size_t loop, JoinOptions options = {}) {
    ASSERT_TRUE(one.join(world.at(loop), topic, options));
    readers.push_back(&one);
  }
  Position at(std::uint64_t offset) const { return {.epoch = broker.epoch, .offset = offset}; }

  FakeBroker broker{5};
  FakeBroker::Instance relay{broker};
  bool is_set_up = [this] { return relay.on_demand = relay.connected = true; }();
  ManualLoops world{3, {}, 1, &relay};
  std::shared_ptr<Topic> topic =
      *world.hub.add("t", {.history = {.messages_max = 10}, .relayed = true, .encode = with_position});
  std::vector<Follower*> readers;
};

// A client that asks for events from now on, as the position of its answer may be older.
class FromNow final : public OwnList, public HubSubscriber {
 public:
  bool is_open() const override { return true; }
  bool is_congested() const override { return false; }
  bool send(const SharedBytes& frame) override {
    const std::string text(as_text(frame.view()));
    got.push_back(text.substr(text.find(' ') + 1));
    return true;
  }
  bool has_room_behind(std::size_t /*bytes*/) override { return true; }
  void on_ready() override {}
  std::string_view topic_name() const override { return topic()->name; }
  void on_notice(TopicNotice /*notice*/) override {}
  void tell_missed(const Missed& /*missed*/) override { ++missed; }

  Texts got;
  int missed = 0;
};

TEST_F(OnDemandTest, ATopicIsReadWhileSomebodySubscribesAndALittleLonger) {
  settle();
  EXPECT_FALSE(relay.is_open("t"));
  {
    Follower a;
    watch(a, 0);
    settle();
    EXPECT_TRUE(relay.is_open("t"));
    Follower b;
    watch(b, 1);
    settle();
    readers.clear();
  }
  settle();
  world.advance(RelayedTopics::kUnwatchedReadFor - std::chrono::milliseconds(1));
  settle();
  EXPECT_TRUE(relay.is_open("t"));
  world.advance(std::chrono::milliseconds(1));
  settle();
  EXPECT_FALSE(relay.is_open("t"));
  EXPECT_FALSE(world.at(2).is_current(topic));
}

TEST_F(OnDemandTest, WhoComesBackInTimeKeepsItOpen) {
  Follower a;
  {
    Follower first;
    watch(first, 0);
    settle();
    readers.clear();
  }
  settle();
  world.advance(RelayedTopics::kUnwatchedReadFor / 2);
  watch(a, 1);
  settle();
  world.advance(RelayedTopics::kUnwatchedReadFor);
  settle();
  EXPECT_TRUE(relay.is_open("t"));
  store(1);
  settle();
  EXPECT_EQ(a.got, Texts{"1"});
}

TEST_F(OnDemandTest, FromNowOnDoesNotMeanWhatTheBrokerKept) {
  store(20);
  FromNow a;
  ASSERT_TRUE(world.at(1).join(topic, a, a.list, {}));
  store(1);  // before the relay has read anything
  settle();
  EXPECT_EQ(a.got, Texts{});
  store(2);
  settle();
  EXPECT_EQ(a.got, numbers(22, 23));
  EXPECT_EQ(a.missed, 0);
}

TEST_F(OnDemandTest, APositionGoesOnFromMemoryIfItIsRecent) {
  store(20);
  Follower a;
  watch(a, 1, {.since = at(15)});
  settle();
  store(2);
  settle();
  EXPECT_EQ(a.got, numbers(16, 22));
  EXPECT_EQ(relay.reads, 0);
}

TEST_F(OnDemandTest, AnOlderPositionGoesOnFromTheBroker) {
  store(20);
  Follower a;
  watch(a, 1, {.since = at(3)});
  settle();
  EXPECT_EQ(a.got, numbers(4, 20));
  EXPECT_GT(relay.reads, 0);
  // Also at a topic that is being read; and what is published meanwhile follows.
  Follower b;
  watch(b, 2, {.since = at(1)});
  store(3);
  world.run_all();
  while (relay.step_in("t")) world.run_all();
  EXPECT_EQ(b.got, Texts{});
  settle();
  store(1);
  settle();
  EXPECT_EQ(b.got, numbers(2, 24));
  EXPECT_EQ(a.got, numbers(4, 24));
  EXPECT_TRUE(a.missed_ranges.empty() && b.missed_ranges.empty());
}

TEST_F(OnDemandTest, WhatTheBrokerNoLongerHasIsToldExactly) {
  store(30);
  broker.first["t"] = 12;
  Follower a;
  watch(a, 0, {.since = at(3)});
  settle();
  EXPECT_EQ(a.got, numbers(12, 30));
  EXPECT_EQ(a.missed_ranges, (std::vector{Missed{.after = at(3), .until = at(11)}}));
}

TEST_F(OnDemandTest, ATopicThatWasClosedGoesOnAndWhatIsBetweenComesFromTheBroker) {
  {
    FromNow a;
    ASSERT_TRUE(world.at(0).join(topic, a, a.list, {}));
    settle();
    store(5);
    settle();
    EXPECT_EQ(a.got, numbers(1, 5));
  }
  settle();
  world.advance(RelayedTopics::kUnwatchedReadFor);
  settle();
  ASSERT_FALSE(relay.is_open("t"));
  store(30);
  Follower b;
  Follower c;
  watch(b, 1, {.since = at(2)});
  watch(c, 2, {.since = at(5)});
  settle();
  store(1);
  settle();
  EXPECT_EQ(b.got, numbers(3, 36));
  EXPECT_EQ(c.got, numbers(6, 36));
  EXPECT_TRUE(b.missed_ranges.empty() && c.missed_ranges.empty());
}

TEST_F(OnDemandTest, APositionOfAnotherEpochIsToldWhenTheBrokerIsKnown) {
  store(4);
  Follower a;
  watch(a, 1, {.since = Position{.epoch = 4, .offset = 100}});
  settle();
  ASSERT_EQ(a.missed_ranges.size(), 1U);
  EXPECT_FALSE(a.missed_ranges[0].is_counted());
  store(1);
  settle();
  EXPECT_EQ(a.got, Texts{"5"});
}

TEST_F(OnDemandTest, WhoWaitsOrReadsMayLeaveAndTheTopicMayBeRemoved) {
  store(20);
  auto leaves = std::make_unique<Follower>();
  watch(*leaves, 0, {.since = at(1)});
  readers.clear();
  leaves.reset();
  Follower stays;
  watch(stays, 0, {.since = at(1)});
  world.run_all();
  while (relay.step_in("t")) world.run_all();
  auto reads = std::make_unique<Follower>();
  watch(*reads, 1, {.since = at(1)});
  reads.reset();
  readers = {&stays};
  Follower waits;
  settle();
  EXPECT_EQ(stays.got, numbers(2, 20));
  world.hub.remove(*topic);
  settle();
  EXPECT_EQ(stays.notices, std::vector{TopicNotice::removed});
}

// The name is free at once, and the home loop of the one that was removed may be the last to know.
TEST_F(OnDemandTest, ANewTopicOfTheSameNameIsReadWhenTheOldOneIsClosed) {
  store(3);
  Follower before;
  watch(before, 0, {.since = at(0)});
  settle();
  world.hub.remove(*topic);
  const auto old = std::exchange(topic, *world.hub.add("t", topic->setup));
  ASSERT_NE(world.home(*old), world.home(*topic));
  Follower after;
  watch(after, 0, {.since = at(1)});
  while (world.run_one(world.home(*topic))) {
  }
  settle();
  EXPECT_TRUE(relay.is_open("t"));
  store(1);
  settle();
  EXPECT_EQ(after.got, numbers(2, 4));
  EXPECT_EQ(before.got, numbers(1, 3));
  world.hub.remove(*topic);
  settle();
  EXPECT_FALSE(relay.is_open("t"));
}

TEST_F(OnDemandTest, WithoutTheBrokerItWaitsAndKnows) {
  relay.set_connected(true);
  world.hub.on_back();
  world.run_all();
  relay.set_connected(false);
  world.run_all();
  store(3);
  Follower a;
  const auto joined = a.join(world.at(0), topic, {.since = at(0)});
  readers.push_back(&a);
  EXPECT_TRUE(joined->is_degraded);
  settle();
  EXPECT_EQ(a.got, Texts{});
  relay.set_connected(true);
  settle();
  EXPECT_EQ(a.got, numbers(1, 3));
}

// Clients come and go with their positions while the broker gets events, and while topics are closed and opened. The follower itself
// checks that each event is the next one.
TEST_F(OnDemandTest, NobodyMissesAnythingWhateverTheOrder) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SeededRandom random(seed);
    FakeBroker own{9};
    FakeBroker::Instance link{own};
    link.on_demand = link.connected = true;
    ManualLoops loops{3, {}, seed, &link};
    const auto shared =
        *loops.hub.add("t", {.history = {.messages_max = 4}, .relayed = true, .encode = with_position});
    auto& stream = own.streams["t"];
    std::vector<std::unique_ptr<Follower>> followers;
    for (int step = 0; step < 300; ++step) {
      switch (random.next_u64() % 8) {
        case 0:
          stream.push_back(bytes_of(std::to_string(stream.size() + 1)));
          break;
        case 1: {
          auto& one = *followers.emplace_back(std::make_unique<Follower>());
          const std::uint64_t offset = random.next_u64() % (stream.size() + 1);
          ASSERT_TRUE(one.join(loops.at(random.next_u64() % 3), shared, {.since = Position{9, offset}}));
          break;
        }
        case 2:
          if (!followers.empty()) followers.erase(followers.begin());
          break;
        case 3:
          if (random.next_u64() % 8 == 0) loops.advance(RelayedTopics::kUnwatchedReadFor / 2);
          break;
        case 4:
          link.step_read();
          break;
        case 5:
          link.step_in("t");
          break;
        default:
          loops.run_one(random.next_u64() % 3);
          break;
      }
      for (const auto& one : followers) {
        if (one->ready) one->read(1 + random.next_u64() % 3);
      }
    }
    for (bool moved = true; moved;) {
      loops.run_all();
      moved = link.step_in("t");
      moved = link.step_read() || moved;
      for (const auto& one : followers) {
        if (!one->ready && !one->is_behind()) continue;
        one->read(SIZE_MAX);
        moved = true;
      }
    }
    for (const auto& one : followers) {
      EXPECT_EQ(one->at.offset, stream.size()) << "seed " << seed;
      EXPECT_TRUE(one->missed_ranges.empty()) << "seed " << seed;
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace fanfare::pubsub
