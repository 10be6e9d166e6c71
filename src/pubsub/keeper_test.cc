// Topics whose events are stored before anybody gets them.

#include "pubsub/keeper.h"

#include <gtest/gtest.h>

#include "pubsub/hub_world_for_tests.h"
#include "pubsub/store_for_tests.h"

namespace fanfare::pubsub {
namespace {

using Texts = std::vector<std::string>;

// One process: ends when it is destroyed, as if it was killed.
struct Process {
  explicit Process(FakeDisk& disk, std::uint64_t seed = 1, TopicSetup setup = default_setup())
      : store(std::make_shared<FakeStore>(disk)), world(2, {}, seed) {
    world.hub.set_store(store);
    topic = *world.hub.add("t", std::move(setup));
  }
  static TopicSetup default_setup() {
    return {.history = {.messages_max = 3}, .stored = {.messages_max = 100}, .encode = with_position};
  }
  PublishResult publish(std::string_view text) {
    return world.hub.publish(topic, bytes_of(text), [this](std::optional<Position> where) {
      receipts.push_back(where ? where->offset : 0);
    });
  }
  void settle() {
    do {
      world.run_all();
    } while (store->step());
    world.run_all();
  }
  void publish_all(const Texts& texts) {
    for (const auto& text : texts) publish(text);
    settle();
  }
  std::size_t home() const { return world.home(*topic); }

  std::vector<std::uint64_t> receipts;
  std::shared_ptr<FakeStore> store;
  ManualLoops world;
  std::shared_ptr<Topic> topic;
};

Texts texts_from(int first, int last) {
  Texts texts;
  for (int i = first; i <= last; ++i) texts.push_back(std::to_string(i));
  return texts;
}

TEST(Keeper, AnEventIsPassedOnWhenItIsStored) {
  FakeDisk disk;
  Process process(disk);
  Follower follower;
  follower.join(process.world.at(1), process.topic);
  process.publish("a");
  process.publish("b");
  process.world.run_all();
  EXPECT_TRUE(follower.got.empty());
  EXPECT_TRUE(process.receipts.empty());
  EXPECT_EQ(process.topic->metrics().pending_messages, 2U);
  process.store->step();
  process.world.run_all();
  EXPECT_EQ(follower.got, Texts{"a"});
  process.settle();
  EXPECT_EQ(follower.got, (Texts{"a", "b"}));
  EXPECT_EQ(process.receipts, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(process.topic->metrics().pending_messages, 0U);
  EXPECT_EQ(process.topic->metrics().stored_messages, 2U);
}

// The disk's queue is bounded by the limits of what may be pending.
TEST(Keeper, ADiskThatIsBehindRefusesPublishers) {
  FakeDisk disk;
  TopicSetup setup = Process::default_setup();
  setup.limits.pending_messages_max = 2;
  Process process(disk, 1, setup);
  EXPECT_EQ(process.publish("a"), PublishResult::accepted);
  EXPECT_EQ(process.publish("b"), PublishResult::accepted);
  EXPECT_EQ(process.publish("c"), PublishResult::topic_messages_full);
  EXPECT_EQ(process.topic->refused(PublishResult::topic_messages_full), 1U);
  process.settle();
  EXPECT_EQ(process.publish("c"), PublishResult::accepted);
}

TEST(Keeper, ARestartGoesOnWithTheEpochAndTheNextOffset) {
  FakeDisk disk;
  Position seen;
  {
    Process process(disk);
    Follower follower;
    follower.join(process.world.at(0), process.topic);
    process.publish_all({"a", "b", "c", "d", "e"});
    seen = follower.positions[1];
    process.publish("never stored");
    process.world.run_all();
  }
  TopicSetup setup = Process::default_setup();
  setup.history.messages_max = 10;
  Process process(disk, 2, setup);
  for (std::size_t loop = 0; loop < 2; ++loop) {
    Follower follower;
    const auto joined = follower.join(process.world.at(loop), process.topic, {.since = seen});
    EXPECT_TRUE(joined->recovered);
    follower.read(SIZE_MAX);
    ASSERT_EQ(follower.got.size(), 3 + loop);
    EXPECT_EQ(Texts(follower.got.begin(), follower.got.begin() + 3), (Texts{"c", "d", "e"}));
    process.publish_all({"f" + std::to_string(loop)});
    EXPECT_EQ(follower.got.back(), "f" + std::to_string(loop));
    EXPECT_EQ(follower.at, (Position{seen.epoch, 6 + loop}));
  }
  EXPECT_EQ(process.store->reads, 0);  // memory had it
}

TEST(Keeper, WhatMemoryNoLongerHasComesFromDisk) {
  FakeDisk disk;
  Process process(disk);
  const std::uint64_t epoch = process.topic->first_epoch;
  process.publish_all(texts_from(1, 50));
  Follower follower;
  const auto joined = follower.join(process.world.at(1), process.topic, {.since = Position{epoch, 10}});
  EXPECT_TRUE(joined->recovered);
  EXPECT_EQ(joined->position, (Position{epoch, 10}));
  process.publish("51");  // meanwhile
  process.settle();
  follower.read(SIZE_MAX);
  process.settle();
  follower.read(SIZE_MAX);
  EXPECT_EQ(follower.got, texts_from(11, 51));
  EXPECT_GT(process.store->reads, 0);
  EXPECT_TRUE(follower.missed_ranges.empty());
  process.publish_all({"52"});
  EXPECT_EQ(follower.got.back(), "52");  // live
  EXPECT_TRUE(follower.is_plain());
  EXPECT_EQ(process.world.at(1).replays().count(), 0U);
}

TEST(Keeper, WhatTheDiskNoLongerHasIsMissing) {
  FakeDisk disk;
  TopicSetup setup = Process::default_setup();
  setup.stored.messages_max = 20;
  Process process(disk, 1, setup);
  const std::uint64_t epoch = process.topic->first_epoch;
  process.publish_all(texts_from(1, 50));
  for (const auto& [since, first] : {std::pair{29, 31}, std::pair{30, 31}, std::pair{31, 32}}) {
    Follower follower;
    const auto joined = follower.join(process.world.at(0), process.topic,
                                      {.since = Position{epoch, static_cast<std::uint64_t>(since)}});
    EXPECT_EQ(joined->recovered, since >= 30);
    EXPECT_EQ(joined->missing.has_value(), since < 30);
    if (joined->missing) {
      EXPECT_EQ(*joined->missing, (Missed{.after = {epoch, 29}, .until = {epoch, 30}}));
    }
    process.settle();
    follower.read(SIZE_MAX);
    process.settle();
    follower.read(SIZE_MAX);
    EXPECT_EQ(follower.got, texts_from(first, 50));
  }
}

// A piece at a time, and no more than that in memory, however slowly the subscriber reads.
TEST(Keeper, AReplayReadsTheDiskInPieces) {
  FakeDisk disk;
  TopicSetup setup = Process::default_setup();
  setup.encode = [](Position position, const SharedBytes& payload) {
    return bytes_of(text_of(position) + " " + std::string(as_text(payload.view())) +
                    std::string(Replays::kPieceBytesMax / 4, '.'));
  };
  Process process(disk, 1, setup);
  process.publish_all(texts_from(1, 40));
  Follower follower;
  follower.room = 0;
  follower.join(process.world.at(0), process.topic, {.since = Position{process.topic->first_epoch, 0}});
  process.settle();
  EXPECT_EQ(process.store->reads, 1);
  std::size_t reads = 0;
  for (int i = 0; i < 100 && follower.got.size() < 40; ++i) {
    follower.read(1);
    process.settle();
    reads = static_cast<std::size_t>(process.store->reads);
    EXPECT_LE(reads, 1 + follower.got.size() / 3) << follower.got.size();
  }
  EXPECT_EQ(follower.got.size(), 40U);
  EXPECT_GE(reads, 10U);
  EXPECT_TRUE(follower.missed_ranges.empty());
}

TEST(Keeper, AStoreThatFailsGivesTheTopicANewEpoch) {
  for (const auto mode : {FakeStore::Mode::fails, FakeStore::Mode::fails_and_has}) {
    FakeDisk disk;
    std::vector<Position> seen;
    Position last;
    {
      Process process(disk);
      Follower follower;
      follower.join(process.world.at(1), process.topic);
      process.publish_all({"a", "b"});
      last = follower.at;
      process.store->mode = mode;
      process.publish_all({"c", "d"});
      process.publish_all({"e"});
      EXPECT_EQ(follower.got, (Texts{"a", "b", "c", "d", "e"}));
      ASSERT_EQ(follower.missed_ranges.size(), 1U);
      EXPECT_FALSE(follower.missed_ranges.front().is_counted());
      EXPECT_NE(follower.at.epoch, last.epoch);
      EXPECT_EQ(follower.at.offset, 3U);
      EXPECT_EQ(process.topic->metrics().unstored, 3U);
      EXPECT_EQ(process.receipts, (std::vector<std::uint64_t>{1, 2, 1, 2, 3}));
      seen = follower.positions;
      Follower late;
      EXPECT_FALSE(late.join(process.world.at(0), process.topic, {.since = last})->recovered);
    }
    Process process(disk, 2);
    Follower returned;
    EXPECT_FALSE(returned.join(process.world.at(0), process.topic, {.since = seen.back()})->recovered);
    Follower before;
    EXPECT_TRUE(before.join(process.world.at(0), process.topic, {.since = last})->recovered);
    process.publish_all({"f"});
    for (const Position& position : seen) EXPECT_NE(returned.at, position);
  }
}

TEST(Keeper, AStoreThatWorksAgainIsUsedAgain) {
  FakeDisk disk;
  Position kept;
  {
    Process process(disk);
    process.store->mode = FakeStore::Mode::fails;
    process.publish_all({"a"});
    const auto retry = process.store->store_times.retry_interval;
    process.publish_all({"b"});
    EXPECT_TRUE(process.store->tasks.empty());  // not asked before its time
    process.world.advance(retry);
    process.publish_all({"c"});
    EXPECT_EQ(process.topic->metrics().unstored, 3U);
    process.store->mode = FakeStore::Mode::works;
    process.world.advance(retry);
    process.publish_all({"d"});
    Follower follower;
    follower.join(process.world.at(0), process.topic);
    process.publish_all({"e", "f"});
    EXPECT_EQ(follower.got, (Texts{"e", "f"}));
    EXPECT_EQ(process.topic->metrics().unstored, 4U);
    EXPECT_EQ(process.topic->metrics().stored_messages, 2U);
    kept = follower.positions.front();
    EXPECT_EQ(kept.offset, 1U);
  }
  Process process(disk, 2);
  Follower follower;
  EXPECT_TRUE(follower.join(process.world.at(0), process.topic, {.since = kept})->recovered);
  follower.read(SIZE_MAX);
  EXPECT_EQ(follower.got, Texts{"f"});
}

TEST(Keeper, ADiskThatStallsStopsNobody) {
  FakeDisk disk;
  Process process(disk);
  Follower follower;
  follower.join(process.world.at(0), process.topic);
  const auto stall = process.store->store_times.stall_max;
  process.publish("a");
  process.world.run_all();
  process.world.advance(stall - std::chrono::milliseconds(1));
  process.world.run_all();
  EXPECT_TRUE(follower.got.empty());
  process.world.advance(std::chrono::milliseconds(1));
  process.world.run_all();
  EXPECT_EQ(follower.got, Texts{"a"});
  EXPECT_NE(follower.at.epoch, process.topic->first_epoch);
  process.settle();  // what the disk says later changes nothing
  EXPECT_EQ(follower.got, Texts{"a"});
}

TEST(Keeper, AStoreThatFailsAtFirstLeavesTheTopicInMemory) {
  FakeDisk disk;
  FakeStore store(disk);
  ManualLoops world(1, {}, 1);
  auto shared = std::make_shared<FakeStore>(disk);
  shared->mode = FakeStore::Mode::fails;
  world.hub.set_store(shared);
  const auto topic = *world.hub.add("t", Process::default_setup());
  Follower follower;
  follower.join(world.at(0), topic);
  world.hub.publish(topic, bytes_of("a"));
  world.run_all();
  EXPECT_EQ(follower.got, Texts{"a"});
  EXPECT_EQ(topic->metrics().unstored, 1U);
}

TEST(Keeper, ARemovedTopicDeliversWhatWasAcceptedAndLeavesTheDisk) {
  FakeDisk disk;
  Process process(disk);
  Follower follower;
  follower.join(process.world.at(1), process.topic);
  process.publish("a");
  process.world.run_all();
  EXPECT_TRUE(process.world.hub.remove(*process.topic));
  process.settle();
  EXPECT_EQ(follower.got, Texts{"a"});
  EXPECT_EQ(follower.notices, std::vector{TopicNotice::removed});
  EXPECT_TRUE(disk.topics.empty());
  const auto again = process.world.hub.add("t", Process::default_setup());
  ASSERT_TRUE(again);
  EXPECT_NE((*again)->first_epoch, process.topic->first_epoch);
  process.settle();
}

TEST(Keeper, AReplayWhoseDiskFailsSaysWhatIsMissed) {
  FakeDisk disk;
  Process process(disk);
  const std::uint64_t epoch = process.topic->first_epoch;
  process.publish_all(texts_from(1, 30));
  Follower follower;
  EXPECT_TRUE(follower.join(process.world.at(0), process.topic, {.since = Position{epoch, 5}})->recovered);
  process.store->mode = FakeStore::Mode::fails;
  process.settle();
  follower.read(SIZE_MAX);
  EXPECT_EQ(follower.missed_ranges, (std::vector{Missed{.after = {epoch, 5}, .until = {epoch, 27}}}));
  EXPECT_EQ(follower.got, texts_from(28, 30));
}

TEST(Keeper, ASubscriberMayLeaveDuringItsReplay) {
  FakeDisk disk;
  Process process(disk);
  process.publish_all(texts_from(1, 30));
  {
    Follower follower;
    follower.join(process.world.at(0), process.topic, {.since = Position{process.topic->first_epoch, 5}});
    EXPECT_EQ(process.world.at(0).replays().count(), 1U);
  }
  EXPECT_EQ(process.world.at(0).replays().count(), 0U);
  process.settle();
}

TEST(Keeper, WithoutAStoreATopicCannotBeStored) {
  ManualLoops world(1, {}, 1);
  EXPECT_EQ(world.hub.add("t", Process::default_setup()).error(),
            "a topic that is stored on disk needs a store");
}

TEST(Keeper, ATopicCannotAskForMoreThanTheFileHolds) {
  FakeDisk disk;
  ManualLoops world(1, {}, 1);
  const auto store = std::make_shared<FakeStore>(disk);
  store->file_bytes = 1000;
  world.hub.set_store(store);
  const auto setup = [](std::size_t bytes_max) {
    TopicSetup made = Process::default_setup();
    made.stored.bytes_max = bytes_max;
    return made;
  };
  EXPECT_EQ(world.hub.add("t", setup(1001)).error(), "stored.bytes_max: at most the store's file_bytes_max");
  EXPECT_TRUE(world.hub.add("t", setup(1000)));
}

TEST(Keeper, NoHistoryHasANegativeAge) {
  ManualLoops world(1, {}, 1);
  constexpr std::chrono::milliseconds kNegative(-1);
  EXPECT_EQ(world.hub.add("t", {.history = {.messages_max = 1, .age_max = kNegative}}).error(),
            "history.age_max: not below zero");
  EXPECT_EQ(world.hub.add("t", {.stored = {.messages_max = 1, .age_max = kNegative}}).error(),
            "stored.age_max: not below zero");
}

// Whatever fails, stalls or is killed, and whenever: a position stands for one event, all clients see events in order,
// and each knows what it did not get.
class KeeperRandom : public testing::TestWithParam<int> {};

struct Client {
  std::unique_ptr<Follower> follower;
  std::optional<Position> since;
  std::size_t noted = 0;
};

TEST_P(KeeperRandom, NobodyIsLiedTo) {
  SeededRandom random(static_cast<std::uint64_t>(GetParam()));
  FakeDisk disk;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> truth;
  std::map<int, int> last_number;
  std::vector<Client> clients(4);
  int number = 0;
  std::uint64_t delivered = 0;
  std::uint64_t recovered = 0;
  for (int life = 0; life < 12; ++life) {
    TopicSetup setup = Process::default_setup();
    setup.history.messages_max = random.below(5);
    setup.stored.messages_max = 1 + random.below(40);
    auto process = std::make_unique<Process>(disk, random.next_u64(), setup);
    const auto note = [&](std::size_t which) {
      Client& client = clients[which];
      for (; client.noted < client.follower->got.size(); ++client.noted) {
        const Position at = client.follower->positions[client.noted];
        const std::string& text = client.follower->got[client.noted];
        const auto [there, is_new] = truth.try_emplace({at.epoch, at.offset}, text);
        EXPECT_EQ(there->second, text) << "two events at " << text_of(at);
        EXPECT_GT(std::stoi(text), last_number[static_cast<int>(which)]) << text_of(at);
        last_number[static_cast<int>(which)] = std::stoi(text);
        ++delivered;
      }
      client.since = client.follower->at;
    };
    const auto leave = [&](std::size_t which) {
      note(which);
      clients[which].follower.reset();
    };
    const std::uint64_t steps = 50 + random.below(400);
    for (std::uint64_t step = 0; step < steps; ++step) {
      const std::size_t which = random.below(clients.size());
      Client& client = clients[which];
      switch (random.below(12)) {
        case 0:
        case 1:
          process->publish(std::to_string(++number));
          break;
        case 2:
        case 3:
        case 4:
          process->world.run_one(random.below(2));
          break;
        case 5:
        case 6:
          process->store->step();
          break;
        case 7:
          if (client.follower != nullptr) {
            leave(which);
          } else {
            client = {.follower = std::make_unique<Follower>(), .since = client.since};
            const auto joined = client.follower->join(process->world.at(random.below(2)), process->topic,
                                                      {.since = client.since});
            ASSERT_TRUE(joined);
            if (client.since && joined->recovered) {
              EXPECT_EQ(joined->position, *client.since);
              ++recovered;
            }
            client.follower->room = random.below(4);
          }
          break;
        case 8:
          if (client.follower != nullptr) client.follower->read(random.below(6));
          break;
        case 9:
          if (random.below(20) == 0) {
            process->store->mode = static_cast<FakeStore::Mode>(random.below(3));
          } else if (random.below(5) == 0) {
            process->store->mode = FakeStore::Mode::works;
          }
          break;
        case 10:
          if (random.below(10) == 0) process->world.advance(std::chrono::seconds(random.below(6)));
          break;
        default:
          process->settle();
          break;
      }
      if (client.follower != nullptr) note(which);
    }
    for (std::size_t which = 0; which < clients.size(); ++which) {
      if (clients[which].follower != nullptr) leave(which);
    }
    if (random.below(3) == 0) process->settle();  // a clean end
    process.reset();
  }
  EXPECT_GT(delivered, 100U);
  EXPECT_GT(recovered, 10U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, KeeperRandom, testing::Range(1, 61));

}  // namespace
}  // namespace fanfare::pubsub
