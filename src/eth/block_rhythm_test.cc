// Blocks that appear on a simulated clock, and the polls that find them: how late, and with how many polls.

#include "eth/block_rhythm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <vector>

#include "base/random.h"
#include "eth/head_poller_world.h"

namespace fanfare::eth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Found {
  Duration late_median{};
  Duration late_most{};
  double polls_a_block = 0;
};

// The time from one block to the next.
using Wait = std::function<Duration(SeededRandom&)>;

// Follows `blocks` blocks; the first quarter is not counted.
Found follow(const HeadPollerOptions& options, const Wait& gap, std::uint64_t seconds_per_block,
             int blocks = 400) {
  HeadPollerWorld world(options);
  SeededRandom random(7);
  world.node.seconds_per_block = seconds_per_block;
  world.start();
  std::vector<Duration> late;
  std::uint64_t polls_before = 0;
  Instant appears = world.now + gap(random);
  for (int block = 0; block < blocks; ++block) {
    if (block == blocks / 4) polls_before = world.poller.status().polls;
    while (world.poller.next_timer().value() < appears) world.tick();
    world.node.mine(1);
    while (world.take_heads().empty()) world.tick();
    if (block >= blocks / 4) late.push_back(world.now - appears);
    appears = std::max(appears + gap(random), world.now);
  }
  std::ranges::sort(late);
  return {.late_median = late[late.size() / 2],
          .late_most = late.back(),
          .polls_a_block = static_cast<double>(world.poller.status().polls - polls_before) /
                           static_cast<double>(late.size())};
}

// The same chain at even intervals: blocks of a tag that only goes forward have no rhythm.
Found follow_evenly(const Wait& gap, std::uint64_t seconds_per_block) {
  return follow({.only_forward = true}, gap, seconds_per_block);
}

Wait regular(Duration period) {
  return [period](SeededRandom&) { return period; };
}

// Blocks of a fixed schedule, each late by up to `most`.
Wait scheduled(Duration period, Duration most) {
  return [period, most, last = Duration::zero()](SeededRandom& random) mutable {
    const auto late =
        Duration(static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(most.count()))));
    const Duration gap = period + late - last;
    last = late;
    return gap;
  };
}

TEST(BlockRhythm, ARegularBlockASecondIsFoundWithinMilliseconds) {
  const Found found = follow({}, regular(seconds(1)), 1);
  EXPECT_LE(found.late_median, milliseconds(30));
  EXPECT_LE(found.late_most, milliseconds(60));
  EXPECT_LE(found.polls_a_block, 4.0);
}

TEST(BlockRhythm, APeriodThatTimestampsDoNotShowIsLearned) {
  for (const int period : {700, 970, 1003, 1500, 2300}) {
    const auto seconds_per_block = static_cast<std::uint64_t>(std::max(period / 1000, 1));
    const Found found = follow({}, regular(milliseconds(period)), seconds_per_block);
    const Found even = follow_evenly(regular(milliseconds(period)), seconds_per_block);
    EXPECT_LE(found.late_median, milliseconds(40)) << period;
    EXPECT_LE(found.polls_a_block, even.polls_a_block * 1.1) << period;
  }
}

TEST(BlockRhythm, SlowBlocksCostNoMorePollsThanAtEvenIntervals) {
  const Found found = follow({}, scheduled(seconds(12), milliseconds(1500)), 12);
  EXPECT_LE(found.polls_a_block, 6.0);
  EXPECT_LE(found.late_median, milliseconds(500));
  EXPECT_LE(found.late_most, seconds(2));
}

TEST(BlockRhythm, SlotsWithoutABlockDoNotEndTheRhythm) {
  const Found found =
      follow({}, [](SeededRandom& random) { return seconds(random.below(10) == 0 ? 24 : 12); }, 12);
  EXPECT_LE(found.late_median, milliseconds(200));
  EXPECT_LE(found.late_most, seconds(2));
  EXPECT_LE(found.polls_a_block, 6.6);
}

TEST(BlockRhythm, IrregularBlocksArePolledForAtEvenIntervals) {
  const auto exponential = [](SeededRandom& random) {
    const double share = (static_cast<double>(random.below(1'000'000)) + 1) / 1'000'001;
    return std::max<Duration>(milliseconds(1), milliseconds(static_cast<int>(-4000 * std::log(share))));
  };
  const Found found = follow({}, exponential, 4);
  const Found even = follow_evenly(exponential, 4);
  EXPECT_LE(found.late_median, even.late_median * 11 / 10);
  EXPECT_LE(found.late_most, seconds(2));
  EXPECT_LE(found.polls_a_block, even.polls_a_block * 1.1);
}

TEST(BlockRhythm, AnotherBlockTimeIsLearned) {
  // Timestamps still say one second.
  const auto slower = [] {
    return [block = 0](SeededRandom&) mutable { return seconds(++block < 100 ? 1 : 3); };
  };
  const Found found = follow({}, slower(), 1);
  const Found even = follow_evenly(slower(), 1);
  EXPECT_LE(found.late_median, milliseconds(40));
  EXPECT_LE(found.polls_a_block, even.polls_a_block * 1.1);
}

TEST(BlockRhythm, ChainsThatAreNearlyAsFastAsThePollsKeepEvenIntervals) {
  const Found found = follow({}, regular(milliseconds(250)), 0);
  EXPECT_LE(found.late_most, milliseconds(201));
  EXPECT_LE(found.polls_a_block, 1.3);
}

TEST(BlockRhythm, PollsAreNeverCloserThanTheStep) {
  BlockRhythm rhythm(milliseconds(25));
  Instant now{seconds(100)};
  for (int block = 0; block < 50; ++block, now += seconds(1)) {
    rhythm.saw_blocks(now - milliseconds(10), now, 1, seconds(1));
    Instant polled = now;
    for (int poll = 0; poll < 40; ++poll) {
      const auto next = rhythm.next(polled, milliseconds(250));
      if (!next) break;
      EXPECT_GE(*next - polled, milliseconds(25));
      polled = *next;
    }
  }
}

TEST(BlockRhythm, WithoutABlockItIsForgotten) {
  BlockRhythm rhythm(milliseconds(25));
  EXPECT_FALSE(rhythm.next(Instant{seconds(1)}, milliseconds(250)));
  for (int block = 1; block < 30; ++block) {
    rhythm.saw_blocks(Instant{seconds(block)} - milliseconds(10), Instant{seconds(block)}, 1, seconds(1));
  }
  EXPECT_TRUE(rhythm.next(Instant{seconds(30)}, milliseconds(250)));
  rhythm.forget();
  EXPECT_FALSE(rhythm.next(Instant{seconds(30)}, milliseconds(250)));
}

}  // namespace
}  // namespace fanfare::eth
