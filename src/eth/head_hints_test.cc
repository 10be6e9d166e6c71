// Hints about heads, from sources that are right, early, silent or lying: when the head is polled, and how often.
// Decision 0610.

#include "eth/head_hints.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "eth/head_poller_world.h"
#include "eth/hinted_source_for_tests.h"

namespace fanfare::eth {
namespace {

using namespace std::chrono_literals;

// A regular chain, each block with its hint if `hinted(i)`. Returns the polls of the last `blocks` ones.
struct Followed {
  std::uint64_t polls = 0;
  std::vector<Duration> delays;
};
Followed follow_hints(Duration block_time, int blocks, const std::function<bool(int)>& hinted,
                      Duration jitter = {}) {
  HintedSource chain;
  SeededRandom chance(7);
  Followed result;
  for (int i = 0; i < 40 + blocks; ++i) {
    if (i == 40) result.polls = chain.polls();
    const auto early =
        jitter == Duration::zero() ? 0 : chance.below(static_cast<std::uint64_t>(jitter.count()));
    chain.run_for(block_time - Duration(static_cast<Duration::rep>(early)));
    const Instant made = chain.now;
    chain.mine();
    if (hinted(i)) chain.hint(chain.node.head());
    if (chain.is_up_to_date()) {
      result.delays.push_back(0ms);
      continue;
    }
    chain.run_for(1ns);
    // The next block is only made after this one was found, so that each has its delay.
    while (!chain.is_up_to_date()) chain.run_for(1ms);
    result.delays.push_back(chain.found - made);
  }
  result.polls = chain.polls() - result.polls;
  result.delays.erase(result.delays.begin(), result.delays.begin() + 40);
  return result;
}

// When the hint of a block comes, after the block can be had; empty: never.
using HintAt = std::function<std::optional<Duration>(int)>;

// The delays of all but the first 40 heads of a regular chain.
std::vector<Duration> delays_of(Duration block_time, int blocks, const HintAt& hint_at) {
  HintedSource chain;
  std::vector<Duration> delays;
  Instant next = chain.now + block_time;
  for (int i = 0; i < 40 + blocks; ++i, next += block_time) {
    const std::optional<Duration> at = hint_at(i);
    chain.run_for(next - chain.now - (at && *at < Duration::zero() ? -*at : Duration::zero()));
    chain.mine();
    const SimulatedBlock block = chain.node.head();
    if (at && *at < Duration::zero()) {
      chain.node.revert(1);
      chain.hint(block);
      auto branch = chain.node.chain();
      branch.push_back(block);
      chain.run_for(next - chain.now);
      chain.node.return_to(branch);
    }
    if (at && *at >= Duration::zero()) {
      chain.run_for(*at);
      chain.hint(block);
    }
    while (!chain.is_up_to_date()) chain.run_for(1ms);
    if (i >= 40) delays.push_back(std::max(chain.found - next, Duration::zero()));
  }
  return delays;
}

TEST(HeadHintsTest, ABlockIsPolledForAtOnce) {
  HintedSource chain;
  chain.run_for(1min);
  chain.run_for(300ms);
  const std::uint64_t before = chain.polls();
  chain.mine_and_hint();
  EXPECT_EQ(chain.polls(), before + 1);
  EXPECT_TRUE(chain.is_up_to_date());
}

TEST(HeadHintsTest, AKnownBlockCostsNothing) {
  HintedSource chain;
  chain.node.mine(5);
  chain.run_for(1min);
  const std::uint64_t before = chain.polls();
  for (int i = 0; i < 100; ++i) {
    for (std::uint64_t number = 1; number <= 5; ++number) chain.hint(chain.node.at(number));
  }
  EXPECT_EQ(chain.polls(), before);
}

TEST(HeadHintsTest, ASourceThatIsNotLiveSaysNothing) {
  HintedSource chain;
  chain.run_for(1min + 300ms);
  const std::uint64_t before = chain.polls();
  chain.node.mine(1);
  chain.hint(chain.node.head(), 5, 5);
  EXPECT_EQ(chain.polls(), before);
  chain.hint(chain.node.head());
  EXPECT_EQ(chain.polls(), before + 1) << "a live one would have been asked";
}

TEST(HeadHintsTest, WorkingHintsMakeHeadsPromptAtNoMoreThanACallABlock) {
  for (const Duration block_time : {Duration(100ms), Duration(250ms), Duration(1s), Duration(12s)}) {
    for (const Duration jitter : {Duration::zero(), block_time / 3}) {
      const Followed with = follow_hints(block_time, 100, [](int) { return true; }, jitter);
      const Followed without = follow_hints(block_time, 100, [](int) { return false; }, jitter);
      EXPECT_LE(with.polls, without.polls + 105) << block_time.count() << " " << jitter.count();
      if (block_time >= 250ms) {
        EXPECT_LE(std::ranges::max(with.delays), block_time < 1s ? 50ms : 25ms)
            << block_time.count() << " " << jitter.count();
      }
    }
  }
}

TEST(HeadHintsTest, SomeHintsMakeNoMoreThanACallEach) {
  for (const Duration block_time : {Duration(100ms), Duration(250ms), Duration(1s), Duration(12s)}) {
    for (const int every : {2, 3, 7}) {
      const Followed with =
          follow_hints(block_time, 200, [every](int i) { return i % every == 0; }, block_time / 3);
      const Followed without = follow_hints(block_time, 200, [](int) { return false; }, block_time / 3);
      EXPECT_LE(static_cast<double>(with.polls), 1.05 * static_cast<double>(without.polls) + 200.0 / every)
          << block_time.count() << " " << every;
    }
  }
}

TEST(HeadHintsTest, AHintBeforeTheBlockIsPolledForAgain) {
  HintedSource chain;
  for (int i = 0; i < 10; ++i) chain.run_for(1s), chain.mine_and_hint();
  chain.run_for(300ms);
  chain.mine();
  const SimulatedBlock block = chain.node.head();
  chain.node.revert(1);
  chain.hint(block);
  EXPECT_LT(chain.tip(), block.number);
  auto branch = chain.node.chain();
  branch.push_back(block);
  chain.run_for(50ms);
  chain.node.return_to(branch);
  chain.run_for(60ms);
  EXPECT_EQ(chain.tip(), block.number);
}

TEST(HeadHintsTest, BlocksThatNobodyHasCostFewPollsAndNoHead) {
  HintedSource chain;
  HintedSource other;
  for (HintedSource* one : {&chain, &other}) one->run_for(1min);
  const std::uint64_t before = chain.polls();
  const std::uint64_t other_before = other.polls();
  for (int i = 0; i < 50 * 60; ++i) {
    chain.lie();
    for (HintedSource* one : {&chain, &other}) one->run_for(20ms);
  }
  EXPECT_EQ(chain.tip(), 0U);
  EXPECT_LE(chain.polls() - before, other.polls() - other_before + 12);
  std::optional<HeadHints::Source> useless;
  for (int i = 0; i < 60 * 60 && !useless; ++i) {
    chain.lie();
    chain.run_for(1s);
    useless = chain.source.take_useless_hints();
  }
  EXPECT_EQ(useless, HeadHints::Source{0});
  EXPECT_LE(chain.now - Instant(1h), 15min);
}

TEST(HeadHintsTest, LiesBetweenGoodHintsCostFewPolls) {
  HintedSource chain;
  const auto follow = [&](bool lies) {
    for (int i = 0; i < 40; ++i) chain.run_for(12s), chain.mine_and_hint();
    const std::uint64_t before = chain.polls();
    for (int i = 0; i < 40; ++i) {
      for (int step = 0; step < 120; ++step) {
        chain.run_for(100ms);
        if (lies) chain.lie();
      }
      chain.mine_and_hint();
      chain.run_for(1ms);
    }
    return chain.polls() - before;
  };
  const std::uint64_t honest = follow(false);
  const std::uint64_t polled = follow_hints(12s, 40, [](int) { return false; }).polls;
  const std::uint64_t lying = follow(true);
  EXPECT_LE(honest, polled);
  EXPECT_LE(lying, polled + 3 * 40) << "without hints: " << polled;
}

TEST(HeadHintsTest, ASourceThatPausesDoesNotHoldUpAnother) {
  HintedSource chain;
  chain.source.set_hints_live(1, true, chain.now);
  chain.source.set_hints_live(0, false, chain.now);
  chain.source.set_hints_live(2, true, chain.now);
  for (int i = 0; i < 30; ++i) chain.run_for(300ms), chain.lie(1);
  chain.node.mine(1);
  chain.run_for(1ms);
  chain.lie(1);
  chain.hint(chain.node.head(), 2);
  chain.run_for(200ms);  // the shortest distance of two polls
  EXPECT_TRUE(chain.is_up_to_date());
}

TEST(HeadHintsTest, ThePreferredSourceSilencesTheOthersWhileItIsLive) {
  HintedSource chain;
  chain.source.set_hints_live(1, true, chain.now);
  chain.run_for(1min + 300ms);
  std::uint64_t before = chain.polls();
  chain.node.mine(1);
  chain.hint(chain.node.head(), 1, 0);
  EXPECT_EQ(chain.polls(), before);
  chain.hint(chain.node.head(), 0, 0);
  EXPECT_EQ(chain.polls(), before + 1);
  chain.run_for(5s);
  chain.source.set_hints_live(0, false, chain.now);
  before = chain.polls();
  chain.node.mine(1);
  chain.run_for(250ms);
  chain.node.mine(1);
  chain.hint(chain.node.head(), 1, 0);
  chain.run_for(200ms);
  EXPECT_TRUE(chain.is_up_to_date());
}

// Whatever a source does or leaves out, heads come as soon as without it: late hints, those before the block can be had, silence
// after good ones, and blocks that are left out.
TEST(HeadHintsTest, NoSourceMakesHeadsLaterThanNone) {
  for (const Duration block_time : {Duration(1s), Duration(4s), Duration(12s)}) {
    const auto worst = [&](const HintAt& hint_at) {
      const std::vector<Duration> delays = delays_of(block_time, 100, hint_at);
      return std::ranges::max(delays);
    };
    // The distance of two polls while a block is due.
    const Duration without = worst([](int) { return std::nullopt; }) + 25ms;
    for (const Duration late : {Duration(300ms), block_time / 3, block_time / 2})
      EXPECT_LE(worst([&](int) { return late; }), without) << block_time.count() << " " << late.count();
    EXPECT_LE(worst([](int) { return -200ms; }), without) << block_time.count();
    EXPECT_LE(worst([](int i) { return i < 70 ? std::optional(0ms) : std::nullopt; }), without);
    EXPECT_LE(worst([](int i) { return i % 8 == 0 ? std::nullopt : std::optional(0ms); }), without);
  }
}

TEST(HeadHintsTest, ASourceThatIsLostIsReplacedByPolls) {
  HintedSource chain;
  for (int i = 0; i < 40; ++i) chain.run_for(12s), chain.mine_and_hint();
  chain.source.set_hints_live(0, false, chain.now);
  chain.run_for(12s);
  chain.mine();
  chain.hint(chain.node.head());
  chain.run_for(100ms);
  EXPECT_TRUE(chain.is_up_to_date());
}

TEST(HeadHintsTest, HintsDoNotEndTheDelayAfterFailedPolls) {
  HintedSource chain;
  HintedSource other;
  for (HintedSource* one : {&chain, &other}) {
    one->run_for(1min);
    one->reachable = false;
    one->run_for(10s);
  }
  const std::uint64_t before = chain.polls();
  const std::uint64_t other_before = other.polls();
  for (int i = 0; i < 600; ++i) {
    const std::uint64_t polls = chain.polls();
    chain.mine_and_hint();
    EXPECT_EQ(chain.polls(), polls);
    for (HintedSource* one : {&chain, &other}) one->run_for(100ms);
  }
  EXPECT_LE(chain.polls() - before, (other.polls() - other_before) * 3 / 2 + 2);  // delays are random
}

TEST(HeadHintsTest, OtherBranchesAreFollowedByWhatPollsSay) {
  HintedSource chain;
  for (int i = 0; i < 10; ++i) chain.run_for(12s), chain.mine_and_hint();
  const auto branch = chain.node.chain();
  chain.run_for(1s);
  chain.node.reorg(2, 3);
  chain.hint(chain.node.head());
  EXPECT_TRUE(chain.source.shows(chain.node.head().number, chain.node.head().hash));
  chain.hint(branch.back());  // of the branch that was left
  chain.run_for(2s);
  EXPECT_TRUE(chain.source.shows(chain.node.head().number, chain.node.head().hash));
}

TEST(HeadHintsTest, SourcesThatCameAndWentAreForgotten) {
  HeadPollerWorld world;
  HeadHints hints(world.poller);
  hints.set_live(0, true);
  for (HeadHints::Source source = 1; source < 10'000; ++source) {
    hints.set_live(source, true);
    hints.set_live(source, false);
  }
  EXPECT_LE(hints.known_sources(), 64U);
}

}  // namespace
}  // namespace fanfare::eth
