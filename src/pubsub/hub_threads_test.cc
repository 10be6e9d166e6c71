// The hub on real threads: loops, publishers and a relay's, with subscribers that come, go and read slowly.
// The order is the machine's; what each subscriber sees is checked by Follower. For ThreadSanitizer above
// all.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "pubsub/hub_world_for_tests.h"

namespace fanfare::pubsub {
namespace {

class ThreadedLoops final : public HubLoops {
 public:
  explicit ThreadedLoops(Hub& hub, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) loops_.push_back(std::make_unique<OneLoop>());
    for (std::size_t i = 0; i < count; ++i) {
      loops_[i]->thread = std::thread([this, &hub, i] { run(hub, i); });
    }
  }
  ~ThreadedLoops() { stop(); }

  void stop() {
    for (const auto& one : loops_) {
      const std::scoped_lock lock(one->mutex);
      one->stopping = true;
      one->changed.notify_all();
    }
    for (const auto& one : loops_) {
      if (one->thread.joinable()) one->thread.join();
    }
  }
  std::size_t count() const override { return loops_.size(); }
  bool post(std::size_t loop, Task task) override {
    OneLoop& one = *loops_[loop];
    const std::scoped_lock lock(one.mutex);
    if (one.stopping) return false;
    one.tasks.push_back(std::move(task));
    one.changed.notify_all();
    return true;
  }
  // On the loop's thread, and waits for it.
  void call(std::size_t loop, const std::function<void(LoopHub&)>& task) {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    ASSERT_TRUE(post(loop, [&](LoopHub& hub) {
      task(hub);
      const std::scoped_lock lock(mutex);
      done = true;
      changed.notify_all();
    }));
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
  }

 private:
  struct OneLoop {
    std::mutex mutex;  // guards tasks and stopping
    std::condition_variable changed;
    std::deque<Task> tasks;
    bool stopping = false;
    std::thread thread;
  };

  void run(Hub& hub, std::size_t index) {
    ManualClock clock;
    ManualPort port(clock);
    LoopHub loop_hub(hub, index, port);
    OneLoop& one = *loops_[index];
    while (true) {
      Task task;
      {
        std::unique_lock lock(one.mutex);
        one.changed.wait(lock, [&] { return one.stopping || !one.tasks.empty(); });
        if (one.tasks.empty()) return;
        task = std::move(one.tasks.front());
        one.tasks.pop_front();
      }
      task(loop_hub);
    }
  }

  std::vector<std::unique_ptr<OneLoop>> loops_;
};

constexpr std::size_t kLoops = 3;
constexpr int kPublishers = 3;
constexpr int kEvents = 400;

struct Reader {
  std::size_t loop = 0;
  std::unique_ptr<Follower> follower;
};

// Comes, reads a little at a time, leaves and comes back with its position, until the end.
void read_on(ThreadedLoops& loops, const std::shared_ptr<Topic>& topic, std::uint64_t seed,
             const std::atomic<bool>& done) {
  SeededRandom random(seed);
  Reader reader;
  std::optional<Position> since;
  const auto leave = [&] {
    loops.call(reader.loop, [&](LoopHub&) {
      since = reader.follower->at;
      reader.follower.reset();
    });
  };
  while (!done) {
    if (reader.follower == nullptr) {
      reader.follower = std::make_unique<Follower>();
      reader.follower->room = 2;
      reader.loop = random.below(loops.count());
      loops.call(reader.loop, [&](LoopHub& hub) {
        const auto joined = reader.follower->join(hub, topic, {.since = since});
        ASSERT_TRUE(joined);
        if (since && joined->recovered) EXPECT_EQ(joined->position, *since);
      });
    } else if (random.below(8) == 0) {
      leave();
    } else {
      loops.call(reader.loop, [&](LoopHub&) { reader.follower->read(1 + random.below(20)); });
    }
  }
  if (reader.follower == nullptr) return;
  // All events are on their way to all loops when `done` is set, and what was posted before this is run
  // before.
  loops.call(reader.loop, [&](LoopHub&) {
    reader.follower->read(SIZE_MAX);
    EXPECT_EQ(reader.follower->at.offset, topic->assigned_offset);
    reader.follower.reset();
  });
}

void run_with(WhenFull when_full) {
  SeededRandom random(7);
  Hub hub({}, random);
  ThreadedLoops loops(hub, kLoops);
  hub.attach(loops);
  const auto topic = *hub.add("t", {.history = {.messages_max = 50},
                                    .policy = {.when_full = when_full, .waiting_max = 20},
                                    .limits = {.pending_messages_max = 30},
                                    .encode = with_position});
  std::atomic<bool> done = false;
  std::atomic<int> positions = 0;
  std::vector<std::thread> readers;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    readers.emplace_back([&, seed] { read_on(loops, topic, seed, done); });
  }
  std::vector<std::thread> publishers;
  for (int i = 0; i < kPublishers; ++i) {
    publishers.emplace_back([&] {
      for (int event = 0; event < kEvents;) {
        const auto result = hub.publish(topic, bytes_of("x"),
                                        [&](std::optional<Position> where) { positions += where ? 1 : 0; });
        if (result == PublishResult::accepted) {
          ++event;
        } else {
          EXPECT_EQ(result, PublishResult::topic_messages_full);
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& one : publishers) one.join();
  // Twice through all loops: to the home loops, and from there.
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < kLoops; ++i) loops.call(i, [](LoopHub&) {});
  }
  done = true;
  for (std::thread& one : readers) one.join();
  EXPECT_EQ(positions, kPublishers * kEvents);
  EXPECT_EQ(topic->metrics().published, static_cast<std::uint64_t>(kPublishers * kEvents));
  EXPECT_EQ(topic->metrics().pending_messages, 0U);
  loops.stop();
}

TEST(HubThreads, SubscribersThatMustHaveAllOfIt) {
  run_with(WhenFull::close);
}
TEST(HubThreads, SubscribersThatDropTheOldest) {
  run_with(WhenFull::drop_oldest);
}
TEST(HubThreads, SubscribersThatKeepTheLatest) {
  run_with(WhenFull::keep_latest);
}

TEST(HubThreads, TopicsAreAddedFoundUsedAndRemovedByAll) {
  SeededRandom random(7);
  Hub hub({}, random);
  ThreadedLoops loops(hub, kLoops);
  hub.attach(loops);
  std::atomic<int> accepted = 0;
  std::atomic<int> receipts = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    threads.emplace_back([&, seed] {
      SeededRandom own(seed);
      for (int step = 0; step < 300; ++step) {
        const std::string name(1, static_cast<char>('a' + own.below(3)));
        const auto topic = hub.find(name);
        if (topic == nullptr) {
          static_cast<void>(hub.add(name, {.history = {.messages_max = 5}, .encode = with_position}));
        } else if (own.below(10) == 0) {
          hub.remove(*topic);
        } else if (own.below(3) == 0) {
          loops.call(own.below(kLoops), [&](LoopHub& loop) {
            Follower passing;
            static_cast<void>(passing.join(loop, topic, {.since = Position{topic->first_epoch, 0}}));
            passing.read(SIZE_MAX);
          });
        } else if (hub.publish(topic, bytes_of("x"), [&](std::optional<Position>) { ++receipts; }) ==
                   PublishResult::accepted) {
          ++accepted;
        }
      }
    });
  }
  for (std::thread& one : threads) one.join();
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < kLoops; ++i) loops.call(i, [](LoopHub&) {});
  }
  EXPECT_EQ(receipts, accepted);
  EXPECT_EQ(hub.room().messages(), 0U);
  loops.stop();
}

}  // namespace
}  // namespace fanfare::pubsub
