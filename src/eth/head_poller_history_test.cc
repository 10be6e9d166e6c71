// Random chains behind a faulty connection, replayed from a seed.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "eth/head_poller_world.h"

namespace fanfare::eth {
namespace {

// A random chain behind a faulty connection. Whatever happens, the replayed events give a linked chain at
// each step, and the node's own chain in the end.
class HeadPollerHistory : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(HeadPollerHistory, ReplayedGivesTheNodesChain) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  HeadPollerWorld world({.window_blocks = 64, .calls_in_flight_max = 4, .stuck_rounds_max = 100'000},
                        GetParam());
  Random& random = world.random;
  world.node.mine(random.below(5));
  world.start();
  std::vector<jsonrpc::UpstreamCall> pending;
  const std::uint64_t first = world.poller.tip()->number;

  const auto answer_one = [&] {
    const std::size_t which = random.below(pending.size());
    const jsonrpc::UpstreamCall call = pending[which];
    pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(which));
    switch (random.below(12)) {
      case 0:
        world.poller.on_reply(call.id, std::unexpected(jsonrpc::CallFailure{.message = "502"}), world.now);
        return;
      case 1:
        world.poller.on_reply(call.id, jsonrpc::CallResult("null"), world.now);
        return;
      case 2:
        return;  // never answered
      case 3:
        world.poller.on_reply(
            call.id, jsonrpc::CallResult(world.node.at(random.below(world.node.chain().size())).json()),
            world.now);
        return;
      default:
        world.poller.on_reply(call.id, jsonrpc::CallResult(world.node.answer(call)), world.now);
    }
  };
  for (int step = 0; step < 600; ++step) {
    const std::uint64_t above = world.node.head().number - std::min(first, world.node.head().number);
    switch (random.below(8)) {
      case 0:
        world.node.mine(1 + random.below(3));
        break;
      case 1:
        if (random.below(6) == 0) world.node.mine(40);
        break;
      case 2:
        if (above > 2)
          world.node.reorg(1 + random.below(std::min<std::uint64_t>(above - 1, 20)), random.below(6));
        break;
      default:
        break;
    }
    if (pending.empty() || random.below(4) == 0) {
      world.now = std::max(world.now, world.poller.next_timer().value());
      world.poller.on_timer(world.now);
    } else {
      answer_one();
    }
    for (jsonrpc::UpstreamCall& call : world.poller.take_calls()) pending.push_back(std::move(call));
    for (HeadEvent& event : world.poller.take_events()) world.events.push_back(std::move(event));
  }
  world.node.mine(30);  // higher than any block that a wrong answer may have invented
  for (int i = 0; i < 50 && world.poller.tip()->hash != world.node.head().hash; ++i) world.tick();

  std::vector<HeaderPtr> replayed;
  for (const HeadEvent& event : world.events) {
    if (const auto* baseline = std::get_if<Baseline>(&event)) {
      replayed = {baseline->header};
    } else if (const auto* head = std::get_if<NewHead>(&event)) {
      if (!replayed.empty()) {
        ASSERT_EQ(head->header->parent_hash, replayed.back()->hash);
        ASSERT_EQ(head->header->number, replayed.back()->number + 1);
      }
      replayed.push_back(head->header);
    } else if (const auto* reorg = std::get_if<Reorg>(&event)) {
      ASSERT_LE(reorg->depth, replayed.size());
      ASSERT_FALSE(reorg->beyond_window);
      ASSERT_EQ(reorg->old_hash, replayed.back()->hash);
      replayed.resize(replayed.size() - reorg->depth);
    } else {
      FAIL() << "a gap without any limit reached";
    }
  }
  ASSERT_FALSE(replayed.empty());
  const std::uint64_t lowest = replayed.front()->number;
  ASSERT_EQ(world.node.head().number, replayed.back()->number);
  for (std::size_t i = 0; i < replayed.size(); ++i) {
    ASSERT_EQ(replayed[i]->hash, world.node.at(lowest + i).hash) << lowest + i;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, HeadPollerHistory, ::testing::Range<std::uint64_t>(1, 101));

}  // namespace
}  // namespace fanfare::eth
