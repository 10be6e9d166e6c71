#include "session/backoff.h"

#include <gtest/gtest.h>

#include <vector>

namespace fanfare::session {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, GrowsToItsMaximumAndStaysThere) {
  SeededRandom random(1);
  Backoff backoff({.backoff_min = 250ms, .backoff_max = 3s, .multiplier = 2.0, .jitter = false}, random);
  std::vector<Duration> waits;
  for (int i = 0; i < 6; ++i) waits.push_back(backoff.next());
  EXPECT_EQ(waits, (std::vector<Duration>{250ms, 500ms, 1s, 2s, 3s, 3s}));
  EXPECT_EQ(backoff.attempts(), 6U);
  backoff.reset();
  EXPECT_EQ(backoff.attempts(), 0U);
  EXPECT_EQ(backoff.next(), 250ms);
}

TEST(Backoff, JitterSpreadsEachWaitBetweenNothingAndItsCeiling) {
  SeededRandom random(7);
  Duration shortest = 1h;
  Duration longest{};
  for (int i = 0; i < 1000; ++i) {
    Backoff backoff({.backoff_min = 1s, .backoff_max = 1s}, random);
    const Duration wait = backoff.next();
    EXPECT_GE(wait, 0s);
    EXPECT_LE(wait, 1s);
    shortest = std::min(shortest, wait);
    longest = std::max(longest, wait);
  }
  EXPECT_LT(shortest, 50ms);
  EXPECT_GT(longest, 950ms);
}

TEST(Backoff, SameSeedSameWaits) {
  SeededRandom one(42);
  SeededRandom other(42);
  Backoff first({}, one);
  Backoff second({}, other);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(first.next(), second.next());
}

TEST(Backoff, AMaximumAtTheEndOfTheTypeIsReached) {
  SeededRandom random(1);
  for (const bool jitter : {false, true}) {
    Backoff backoff({.backoff_max = Duration::max(), .multiplier = 1e6, .jitter = jitter}, random);
    for (int i = 0; i < 10; ++i) {
      const Duration wait = backoff.next();
      EXPECT_GE(wait, Duration::zero());
    }
    if (!jitter) {
      EXPECT_EQ(backoff.next(), Duration::max());
    }
  }
}

TEST(Backoff, HugeMultiplierEndsAtTheMaximum) {
  SeededRandom random(1);
  Backoff backoff({.backoff_max = 30s, .multiplier = 1e300, .jitter = false}, random);
  backoff.next();
  EXPECT_EQ(backoff.next(), 30s);
}

}  // namespace
}  // namespace fanfare::session
