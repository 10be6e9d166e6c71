#include "relay/majority_watch.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace fanfare::relay {
namespace {

using std::chrono::seconds;

struct Watched {
  explicit Watched(std::uint32_t replicas = 3)
      : watch(replicas, seconds(1), [this](const std::string& stream) { asked.push_back(stream); }) {}
  void tick() {
    now += seconds(1);
    watch.tick(now, [this](std::string_view stream) {
      for (const std::string& one : streams) {
        if (one > stream) return one;
      }
      return streams.empty() ? std::string() : streams.front();
    });
  }

  std::vector<std::string> streams{"a", "b", "c"};
  std::vector<std::string> asked = {};
  MajorityWatch watch;
  Instant now{};
};

TEST(MajorityWatch, AsksEachStreamInTurnAndOnceAnInterval) {
  Watched world;
  for (int i = 0; i < 4; ++i) {
    world.tick();
    world.watch.tick(world.now, [](std::string_view) { return std::string("early"); });
    world.watch.answered(true);
  }
  EXPECT_EQ(world.asked, (std::vector<std::string>{"a", "b", "c", "a"}));
  EXPECT_FALSE(world.watch.is_lost());
}

TEST(MajorityWatch, AStreamThatDoesNotAnswerIsAskedUntilItDoes) {
  Watched world;
  world.tick();
  world.watch.answered(true);
  for (int i = 0; i < MajorityWatch::kUnansweredMax; ++i) {
    world.tick();
    EXPECT_FALSE(world.watch.is_lost());
  }
  world.tick();
  EXPECT_TRUE(world.watch.is_lost());
  world.tick();
  EXPECT_EQ(world.asked, (std::vector<std::string>{"a", "b", "b", "b", "b", "b"}));
  world.watch.answered(true);
  EXPECT_FALSE(world.watch.is_lost());
  world.tick();
  EXPECT_EQ(world.asked.back(), "c");
}

TEST(MajorityWatch, ABrokerThatSaysThereIsNoMajorityIsBelievedAtOnce) {
  Watched world;
  world.tick();
  world.watch.answered(false);
  EXPECT_TRUE(world.watch.is_lost());
  world.tick();
  EXPECT_EQ(world.asked, (std::vector<std::string>{"a", "a"}));
  world.watch.answered(true);
  EXPECT_FALSE(world.watch.is_lost());
}

TEST(MajorityWatch, ANewConnectionBeginsAnew) {
  Watched world;
  for (int i = 0; i <= MajorityWatch::kUnansweredMax; ++i) world.tick();
  ASSERT_TRUE(world.watch.is_lost());
  world.watch.restart();
  EXPECT_FALSE(world.watch.is_lost());
  world.tick();
  EXPECT_FALSE(world.watch.is_lost());
}

TEST(MajorityWatch, NobodyIsAskedWithoutReplicasOrWithoutStreams) {
  Watched single(1);
  Watched empty;
  empty.streams.clear();
  for (int i = 0; i < 2 * MajorityWatch::kUnansweredMax; ++i) {
    single.tick();
    empty.tick();
  }
  EXPECT_TRUE(single.asked.empty());
  EXPECT_TRUE(empty.asked.empty());
  EXPECT_FALSE(single.watch.is_lost());
  EXPECT_FALSE(empty.watch.is_lost());
}

}  // namespace
}  // namespace fanfare::relay
