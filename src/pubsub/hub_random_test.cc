// Random runs from seeds: whatever the order of the loops' steps, each subscriber sees every offset once and
// in order, or a notice with the exact range. Follower (hub_world_for_tests.h) checks each step; at the end
// everyone who is still there has to stand at the end of its topic.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "pubsub/hub_world_for_tests.h"

namespace fanfare::pubsub {
namespace {

constexpr int kSteps = 1500;

TopicPolicy random_policy(Random& random) {
  const WhenFull all[] = {WhenFull::close, WhenFull::drop_oldest, WhenFull::keep_latest};
  return {.when_full = all[random.below(3)], .waiting_max = 1 + random.below(6)};
}

HistoryLimits random_history(Random& random) {
  return {.messages_max = random.below(30),
          .bytes_max = 50 + random.below(1000),
          .age_max = std::chrono::milliseconds(random.below(2) == 0 ? 0 : 1 + random.below(2000))};
}

class RandomRun {
 public:
  RandomRun(std::uint64_t seed, bool is_relayed)
      : random_(seed),
        is_relayed_(is_relayed),
        world_(1 + random_.below(4), {.pending_messages_max = 60, .pending_bytes_max = 600}, seed,
               is_relayed ? &relay_ : nullptr),
        history_(random_history(random_)),
        topic_(*world_.hub.add("t", {.history = history_,
                                     .policy = random_policy(random_),
                                     .limits = {.pending_messages_max = 40, .pending_bytes_max = 500},
                                     .relayed = is_relayed,
                                     .encode = with_position})) {}

  void run() {
    for (int step = 0; step < kSteps; ++step) {
      switch (random_.below(is_relayed_ ? 9 : 7)) {
        case 0:
        case 1:
          publish();
          break;
        case 2:
        case 3:
          world_.run_one(random_.below(world_.count()));
          break;
        case 4:
          join_or_leave();
          break;
        case 5:
          read();
          break;
        case 6:
          if (random_.below(10) == 0) world_.advance(std::chrono::milliseconds(random_.below(500)));
          break;
        default:
          relay_step();
      }
    }
    finish();
  }

 private:
  struct Reader {
    Follower follower;
    WhenFull when_full = WhenFull::close;
  };

  void publish() {
    const std::uint64_t number = offered_++;
    const PublishResult result =
        world_.hub.publish(topic_, bytes_of(std::to_string(number)), [this](std::optional<Position> where) {
          ++receipts_;
          if (where) ++positions_told_;
        });
    if (result == PublishResult::accepted) ++accepted_;
    ++results_[static_cast<std::size_t>(result)];
  }

  void join_or_leave() {
    if (!readers_.empty() && (readers_.size() > 12 || random_.below(3) == 0)) {
      const auto one = readers_.begin() + static_cast<std::ptrdiff_t>(random_.below(readers_.size()));
      // It comes back with this position, to whatever loop.
      left_at_.push_back((*one)->follower.at);
      readers_.erase(one);
      return;
    }
    auto reader = std::make_unique<Reader>();
    const TopicPolicy policy = random_policy(random_);
    reader->when_full = policy.when_full;
    reader->follower.room = random_.below(5);
    reader->follower.whole_bytes_max = 20 + random_.below(200);
    const bool comes_back = !left_at_.empty() && random_.below(4) != 0;
    std::optional<Position> since;
    if (comes_back) since = left_at_[random_.below(left_at_.size())];
    LoopHub& loop = world_.at(random_.below(world_.count()));
    const auto joined = reader->follower.join(loop, topic_, {.since = since, .policy = policy});
    ASSERT_TRUE(joined);
    check(*joined, since);
    readers_.push_back(std::move(reader));
  }

  // What is said to be recovered begins where it was asked for; what is not is told up to where it begins.
  void check(const Joined& joined, std::optional<Position> since) {
    if (!since) {
      EXPECT_TRUE(joined.recovered && !joined.missing);
      return;
    }
    recovered_ += joined.recovered ? 1 : 0;
    if (joined.recovered) {
      EXPECT_EQ(joined.position, *since);
      EXPECT_FALSE(joined.missing);
    } else if (joined.missing) {
      EXPECT_EQ(joined.missing->after, *since);
      EXPECT_EQ(joined.missing->until, joined.position);
      EXPECT_NE(joined.position, *since);
    } else {
      EXPECT_TRUE(is_relayed_);  // a hole inside the history
    }
    // All three limits of the history leave room for what is missing, or it would have to be there.
    if (!is_relayed_ && !joined.recovered && history_.age_max.count() == 0 && history_.bytes_max > 900) {
      EXPECT_GE(topic_->assigned_offset - since->offset, history_.messages_max);
    }
  }

  void read() {
    if (readers_.empty()) return;
    readers_[random_.below(readers_.size())]->follower.read(random_.below(4));
    std::erase_if(readers_, [](const auto& one) { return !one->follower.open; });  // too slow under close
  }

  void relay_step() {
    switch (random_.below(12)) {
      case 0:
        if (random_.below(4) == 0) relay_.set_connected(false);
        break;
      case 1:
        if (relay_.connected) relay_.repeat("t", random_.below(4));
        break;
      case 2:
        if (relay_.connected && random_.below(4) == 0)
          relay_.lose("t", 1 + random_.below(3), random_.below(2) == 0);
        break;
      case 3:
        if (relay_.connected && random_.below(20) == 0) restart();
        break;
      case 4:
        broker_.streams["t"].push_back(bytes_of("from elsewhere"));
        break;
      default:
        relay_.set_connected(true);
        relay_.step_out();
        relay_.step_in("t");
    }
  }
  void restart() {
    ++broker_.epoch;
    broker_.streams["t"].clear();
    relay_.restart("t");
  }

  void finish() {
    if (is_relayed_) {
      relay_.set_connected(true);
      bool more = true;
      while (more) {
        more = relay_.step_out();
        more |= relay_.step_in("t");
        world_.run_all();
      }
    }
    world_.run_all();
    for (const auto& one : readers_) {
      if (!one->follower.open) continue;
      one->follower.read(SIZE_MAX);
      const Position last{.epoch = topic_->assigned_epoch, .offset = topic_->assigned_offset};
      EXPECT_EQ(one->follower.at, last);
      // Nothing is lost but by a policy that says so, or by the broker.
      if (!is_relayed_ && one->when_full == WhenFull::close) EXPECT_TRUE(one->follower.missed_ranges.empty());
      EXPECT_TRUE(one->follower.list.order.empty());
      EXPECT_EQ(one->follower.list.whole_bytes, 0U);
    }
    readers_.clear();
    EXPECT_EQ(receipts_, accepted_);
    const TopicMetrics metrics = topic_->metrics();
    if (!is_relayed_) EXPECT_EQ(metrics.published, accepted_);
    EXPECT_EQ(metrics.refused, offered_ - accepted_);
    EXPECT_EQ(metrics.pending_messages, 0U);
    EXPECT_EQ(metrics.pending_bytes, 0U);
    EXPECT_EQ(metrics.subscribers, 0U);
    EXPECT_EQ(world_.hub.room().messages(), 0U);
    EXPECT_EQ(world_.hub.room().bytes(), 0U);
  }

  SeededRandom random_;
  const bool is_relayed_;
  FakeBroker broker_{100};
  FakeBroker::Instance relay_{broker_};
  ManualLoops world_;
  const HistoryLimits history_;
  std::shared_ptr<Topic> topic_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<Position> left_at_;
  std::uint64_t offered_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t receipts_ = 0;
  std::uint64_t positions_told_ = 0;

 public:
  std::uint64_t recovered_ = 0;
  std::array<std::uint64_t, kPublishResultCount> results_ = {};
};

std::uint64_t seeds_max() {
  const char* const text = std::getenv("HUB_SEEDS");
  return text == nullptr ? 60 : std::stoull(text);
}

void run_seeds(bool is_relayed) {
  std::uint64_t recovered = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t seed = 1; seed <= seeds_max() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRun run(seed, is_relayed);
    run.run();
    recovered += run.recovered_;
    for (std::size_t i = 1; i < run.results_.size(); ++i) refused += run.results_[i];
  }
  // The runs come to where it matters.
  EXPECT_GT(recovered, seeds_max());
  EXPECT_GT(refused, seeds_max());
}

TEST(HubRandom, EverySubscriberSeesEveryOffsetOnceOrIsToldTheExactRange) {
  run_seeds(false);
}

TEST(HubRandom, TheSameWithARelayThatDelaysRepeatsLosesAndBeginsAgain) {
  run_seeds(true);
}

}  // namespace
}  // namespace fanfare::pubsub
