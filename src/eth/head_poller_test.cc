#include "eth/head_poller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "eth/head_poller_world.h"

namespace fanfare::eth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<std::uint64_t> range_of_blocks(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t i = first; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

TEST(HeadPoller, TheFirstHeadIsTheBaselineAndNotNew) {
  HeadPollerWorld world;
  world.node.mine(7);
  world.start();
  ASSERT_EQ(world.all<Baseline>().size(), 1U);
  EXPECT_EQ(world.all<Baseline>()[0].header->number, 7U);
  EXPECT_TRUE(world.all<NewHead>().empty());
}

TEST(HeadPoller, AsksOnceAPollWhenTheChainAdvancesByOne) {
  HeadPollerWorld world;
  world.start();
  world.node.asked.clear();
  for (int i = 0; i < 10; ++i) {
    world.node.mine(1);
    world.tick();
  }
  EXPECT_EQ(world.take_heads(), range_of_blocks(1, 10));
  EXPECT_EQ(world.node.asked["eth_getBlockByNumber"], 10U);
  EXPECT_EQ(world.node.asked.size(), 1U);
}

TEST(HeadPoller, NothingNewIsNothingTold) {
  HeadPollerWorld world;
  world.start();
  world.events.clear();
  for (int i = 0; i < 5; ++i) world.tick();
  EXPECT_TRUE(world.events.empty());
}

TEST(HeadPoller, AJumpOfAThousandIsAThousandHeadsInOrder) {
  HeadPollerWorld world;
  world.start();
  world.node.seconds_per_block = 0;  // as after anvil_mine
  world.node.mine(1000);
  world.tick();
  EXPECT_EQ(world.take_heads(), range_of_blocks(1, 1000));
  EXPECT_EQ(world.poller.status().backfilled, 999U);
  EXPECT_LE(world.in_flight_most, HeadPollerOptions{}.calls_in_flight_max);
}

TEST(HeadPoller, AnswersOutOfOrderAreAnnouncedInOrder) {
  HeadPollerWorld world;
  world.start();
  world.node.mine(10);
  world.now = *world.poller.next_timer();
  world.poller.on_timer(world.now);
  std::vector<jsonrpc::UpstreamCall> calls = world.poller.take_calls();
  while (!calls.empty()) {
    std::ranges::reverse(calls);
    for (const jsonrpc::UpstreamCall& call : calls) {
      EXPECT_TRUE(world.poller.on_reply(call.id, jsonrpc::CallResult(world.node.answer(call)), world.now));
    }
    calls = world.poller.take_calls();
  }
  world.settle();
  EXPECT_EQ(world.take_heads(), range_of_blocks(1, 10));
}

TEST(HeadPoller, AForkAtTheSameHeightIsAReorgOfOne) {
  HeadPollerWorld world;
  world.node.mine(5);
  world.start();
  world.node.mine(1);
  world.tick();
  const Hash256 old_hash = world.node.head().hash;
  world.events.clear();
  world.node.reorg(1, 1);
  world.node.asked.clear();
  world.tick();
  ASSERT_EQ(world.events.size(), 2U);
  const auto reorg = std::get<Reorg>(world.events[0]);
  EXPECT_EQ(reorg.depth, 1U);
  EXPECT_EQ(reorg.old_hash, old_hash);
  EXPECT_EQ(reorg.new_hash, world.node.head().hash);
  EXPECT_FALSE(reorg.beyond_window);
  EXPECT_EQ(std::get<NewHead>(world.events[1]).header->hash, world.node.head().hash);
  EXPECT_EQ(world.node.asked["eth_getBlockByNumber"], 1U);
  EXPECT_EQ(world.node.asked.count("eth_getBlockByHash"), 0U);
}

TEST(HeadPoller, ADeepForkIsWalkedBackAndTheNewBranchIsInOrder) {
  HeadPollerWorld world;
  world.start();
  for (int i = 0; i < 60; ++i) {
    world.node.mine(1);
    world.tick();
  }
  world.events.clear();
  world.node.reorg(50, 53);
  world.tick();
  while (world.poller.tip()->hash != world.node.head().hash) world.tick();
  ASSERT_EQ(world.all<Reorg>().size(), 1U);
  EXPECT_EQ(world.all<Reorg>()[0].depth, 50U);
  EXPECT_EQ(world.take_heads(), range_of_blocks(11, 63));
}

TEST(HeadPoller, ForkDeeperThanTheWindowSaysSo) {
  HeadPollerWorld world({.window_blocks = 8});
  world.start();
  for (int i = 0; i < 20; ++i) {
    world.node.mine(1);
    world.tick();
  }
  world.events.clear();
  world.node.reorg(8, 9);
  world.tick();
  ASSERT_EQ(world.all<Reorg>().size(), 1U);
  EXPECT_FALSE(world.all<Reorg>()[0].beyond_window);  // exactly as deep as the window, so resolved exactly
  world.events.clear();
  world.node.reorg(15, 16);
  world.tick();
  ASSERT_EQ(world.all<Reorg>().size(), 1U);
  EXPECT_TRUE(world.all<Reorg>()[0].beyond_window);
  EXPECT_EQ(world.poller.tip()->hash, world.node.head().hash);
}

TEST(HeadPoller, AForkThatGrowsFromBeforeTheStartTellsItsWholeBranch) {
  HeadPollerWorld world;
  world.node.mine(10);
  world.start();
  world.node.reorg(5, 6);
  world.tick();
  while (world.poller.tip()->hash != world.node.head().hash) world.tick();
  ASSERT_EQ(world.all<Reorg>().size(), 1U);
  EXPECT_EQ(world.take_heads(), range_of_blocks(6, 11));
}

TEST(HeadPoller, WhatCannotBeHadFromBeforeTheStartIsNotWaitedFor) {
  HeadPollerWorld world;
  world.node.mine(10);
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    return call.params_json.starts_with("[\"0x8\"") &&
           world.poller.on_reply(call.id, jsonrpc::CallResult("null"), world.now);
  };
  world.start();
  EXPECT_EQ(world.poller.status().failures, 0U);
  world.held = nullptr;
  world.node.reorg(3, 4);  // forks from 7; 9 is the lowest remembered block
  world.tick();
  world.tick();
  EXPECT_EQ(world.poller.tip()->hash, world.node.head().hash);
  EXPECT_EQ(world.take_heads(), range_of_blocks(9, 11));
}

TEST(HeadPoller, AfterRevertNothingComesUntilTheNextBlock) {
  HeadPollerWorld world;
  world.start();
  for (int i = 0; i < 10; ++i) {
    world.node.mine(1);
    world.tick();
  }
  world.events.clear();
  world.node.revert(4);  // the head is now 6
  for (int i = 0; i < 20; ++i) world.tick();
  EXPECT_TRUE(world.events.empty());
  world.node.mine(1);
  world.tick();
  ASSERT_EQ(world.events.size(), 2U);
  EXPECT_EQ(std::get<Reorg>(world.events[0]).depth, 4U);
  EXPECT_EQ(std::get<NewHead>(world.events[1]).header->number, 7U);
}

TEST(HeadPoller, ANodeThatLagsForAWhileHarmsNothing) {
  HeadPollerWorld world;
  world.start();
  world.node.mine(30);
  world.tick();
  world.take_heads();
  const std::vector<SimulatedBlock> whole = world.node.chain();
  for (const std::uint64_t lag : {3U, 20U}) {
    world.held = [&](const jsonrpc::UpstreamCall& call) {
      return world.poller.on_reply(call.id, jsonrpc::CallResult(whole[whole.size() - 1 - lag].json()),
                                   world.now);
    };
    world.tick();
  }
  world.held = nullptr;
  world.node.mine(1);
  world.tick();
  EXPECT_EQ(world.take_heads(), range_of_blocks(31, 31));
}

TEST(HeadPoller, NullForAJustAnnouncedBlockIsAskedAgain) {
  HeadPollerWorld world;
  world.start();
  world.node.mine(5);
  // Retried a few times at once, then in the next round.
  int nulls = 2 * static_cast<int>(HeadPollerOptions{}.block_tries_max);
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    return call.params_json.starts_with("[\"0x3\"") && nulls-- > 0 &&
           world.poller.on_reply(call.id, jsonrpc::CallResult("null"), world.now);
  };
  for (int i = 0; i < 4; ++i) world.tick();
  EXPECT_EQ(world.take_heads(), range_of_blocks(1, 5));
  EXPECT_EQ(world.poller.status().failures, 2U);
}

TEST(HeadPoller, ABlockThatCannotBeHadIsGivenUpWithANotice) {
  HeadPollerWorld world({.stuck_rounds_max = 3});
  world.start();
  world.node.mine(5);
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    return call.params_json.starts_with("[\"0x3\"") &&
           world.poller.on_reply(call.id, jsonrpc::CallResult("null"), world.now);
  };
  for (int i = 0; i < 3; ++i) world.tick();
  ASSERT_EQ(world.all<Gap>().size(), 1U);
  EXPECT_EQ(world.all<Gap>()[0].first, 3U);
  EXPECT_EQ(world.all<Gap>()[0].last, 4U);
  EXPECT_EQ(world.take_heads(), (std::vector<std::uint64_t>{1, 2, 5}));
}

TEST(HeadPoller, AnOutageLongerThanTheLimitIsAGapWithANotice) {
  HeadPollerWorld world({.catch_up_blocks_max = 100});
  world.start();
  world.node.mine(101);
  world.tick();
  EXPECT_TRUE(world.all<Gap>().empty());  // exactly the limit, not counting the head itself
  EXPECT_EQ(world.take_heads(), range_of_blocks(1, 101));
  world.node.mine(5000);
  world.tick();
  ASSERT_EQ(world.all<Gap>().size(), 1U);
  EXPECT_EQ(world.all<Gap>()[0].first, 102U);
  EXPECT_EQ(world.all<Gap>()[0].last, 5000U);
  EXPECT_EQ(world.take_heads(), range_of_blocks(5001, 5101));
  world.node.reorg(3, 4);
  world.tick();
  EXPECT_EQ(world.take_heads(), range_of_blocks(5099, 5102));
}

TEST(HeadPoller, AForkInsideAJumpIsFound) {
  HeadPollerWorld world;
  world.start();
  world.node.mine(10);
  world.tick();
  world.take_heads();
  world.node.reorg(4, 30);
  world.tick();
  world.tick();
  ASSERT_EQ(world.all<Reorg>().size(), 1U);
  EXPECT_EQ(world.all<Reorg>()[0].depth, 4U);
  EXPECT_EQ(world.take_heads(), range_of_blocks(7, 36));
}

TEST(HeadPoller, ANodeRestartedWithAnotherChainIsFollowedFromItsFirstBlock) {
  HeadPollerWorld world;
  world.node.mine(20);
  world.start();
  world.node.mine(5);
  world.tick();
  world.events.clear();
  world.node.restart_with_new_genesis();
  world.tick();
  ASSERT_EQ(world.all<Reorg>().size(), 1U);
  EXPECT_TRUE(world.all<Reorg>()[0].other_genesis);
  world.node.mine(3);
  world.tick();
  EXPECT_EQ(world.take_heads(), range_of_blocks(1, 3));
}

TEST(HeadPoller, AHeadFarBelowIsBelievedWhenItInsists) {
  HeadPollerWorld world({.window_blocks = 10, .stale_polls_max = 4});
  world.start();
  world.node.mine(40);
  world.tick();
  world.events.clear();
  world.node.revert(30);
  for (int i = 0; i < 3; ++i) world.tick();
  EXPECT_TRUE(world.events.empty());
  world.tick();
  ASSERT_EQ(world.all<Reorg>().size(), 1U);
  EXPECT_TRUE(world.all<Reorg>()[0].beyond_window);
  EXPECT_TRUE(world.all<NewHead>().empty());  // the chain went back: no new head yet
  world.node.mine(2);
  world.tick();
  EXPECT_EQ(world.take_heads(), range_of_blocks(11, 12));
}

TEST(HeadPoller, ErrorsBackOffAndOneAnswerEndsThem) {
  HeadPollerWorld world({.backoff_min = milliseconds(100), .backoff_max = seconds(2)});
  world.start();
  bool down = true;
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    if (!down) return false;
    return world.poller.on_reply(call.id,
                                 std::unexpected(jsonrpc::CallFailure{
                                     .kind = jsonrpc::CallFailure::Kind::unreachable, .message = "refused"}),
                                 world.now);
  };
  std::vector<Duration> waits;
  for (int i = 0; i < 10; ++i) {
    world.tick();
    waits.push_back(*world.poller.next_timer() - world.now);
  }
  Duration step = milliseconds(100);
  for (const Duration wait : waits) {
    EXPECT_GE(wait, step / 2);
    EXPECT_LE(wait, step);
    step = std::min<Duration>(step * 2, seconds(2));
  }
  EXPECT_EQ(world.poller.status().failures_in_a_row, 10U);
  EXPECT_EQ(world.poller.status().last_failure, "unreachable: refused");
  down = false;
  world.node.mine(3);
  world.tick();
  EXPECT_EQ(world.poller.status().failures_in_a_row, 0U);
  EXPECT_EQ(world.take_heads(), range_of_blocks(1, 3));
}

TEST(HeadPoller, NoAnswerAtAllIsGivenUpAndALateAnswerIsNobodys) {
  HeadPollerWorld world;
  world.start();
  world.node.mine(1);
  world.now = *world.poller.next_timer();
  world.poller.on_timer(world.now);
  const auto calls = world.poller.take_calls();
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(*world.poller.next_timer() - world.now, HeadPollerOptions{}.call_timeout);
  world.tick();
  EXPECT_EQ(world.poller.status().failures, 1U);
  EXPECT_FALSE(world.poller.on_reply(calls[0].id, jsonrpc::CallResult(world.node.head().json()), world.now));
  world.tick();
  EXPECT_EQ(world.take_heads(), range_of_blocks(1, 1));
}

TEST(HeadPoller, MalformedAnswersAreFailuresThatSayWhat) {
  HeadPollerWorld world;
  world.start();
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    return world.poller.on_reply(call.id, jsonrpc::CallResult(R"({"number":"0x1","hash":"0x12"})"),
                                 world.now);
  };
  world.tick();
  EXPECT_EQ(world.poller.status().last_failure, "latest: block without a usable hash: \"0x12\"");
}

TEST(HeadPoller, TheIntervalFollowsTheBlockTime) {
  HeadPollerWorld world;
  world.node.seconds_per_block = 4;
  world.start();
  EXPECT_EQ(world.poller.status().poll_interval, milliseconds(500));
  for (int i = 0; i < 20; ++i) {
    world.node.mine(1);
    world.tick();
  }
  EXPECT_EQ(world.poller.status().poll_interval, seconds(1));
  world.node.seconds_per_block = 12;
  world.node.mine(20);
  world.tick();
  world.tick();
  EXPECT_EQ(world.poller.status().poll_interval, seconds(2));
  world.node.seconds_per_block = 0;
  for (int i = 0; i < 40; ++i) {
    world.node.mine(1);
    world.tick();
  }
  EXPECT_LT(world.poller.status().poll_interval, seconds(1));
  EXPECT_GE(world.poller.status().poll_interval, milliseconds(200));
}

TEST(HeadPoller, PollsAreOneIntervalApartWhateverTheAnswersTake) {
  HeadPollerWorld world;
  world.start();
  const Instant first = world.now;
  world.now = *world.poller.next_timer();
  EXPECT_EQ(world.now - first, milliseconds(500));
  world.poller.on_timer(world.now);
  const auto calls = world.poller.take_calls();
  const Instant asked = world.now;
  world.now += milliseconds(300);
  world.poller.on_reply(calls.at(0).id, jsonrpc::CallResult(world.node.head().json()), world.now);
  EXPECT_EQ(*world.poller.next_timer() - asked, milliseconds(500));
}

TEST(HeadPoller, AHintPollsAtOnce) {
  HeadPollerWorld world;
  world.start();
  world.node.mine(1);
  world.poller.poll_now(world.now);
  world.settle();
  EXPECT_EQ(world.take_heads(), range_of_blocks(1, 1));
}

}  // namespace
}  // namespace fanfare::eth
