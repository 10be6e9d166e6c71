#pragma once
// For this room's tests: a chain source that gets hints, and its node, in simulated time.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <vector>

#include "eth/chain_source.h"
#include "eth/simulated_node.h"

namespace fanfare::eth {

using namespace std::chrono_literals;

// Answers come at once.
struct HintedSource {
  SeededRandom random{1};
  SimulatedNode node{random};
  ChainSource source{ChainSourceOptions{}, random};
  Instant now{1h};
  bool reachable = true;
  Instant found{};  // when the tip was last found to be another one
  std::map<HeadHints::Source, bool> of_use;
  std::vector<bool> uses;  // each change, of any source

  HintedSource() {
    source.set_hints_live(0, true, now);
    source.start(now);
    settle();
  }
  void settle() {
    for (bool again = true; again;) {
      const HeaderPtr before = source.tip();
      source.take_events();
      source.take_listening();
      source.take_history();
      const auto calls = source.take_calls();
      again = !calls.empty();
      for (const jsonrpc::UpstreamCall& call : calls) {
        const std::string json = node.answer(call);
        const jsonrpc::CallResult answer =
            reachable ? jsonrpc::CallResult(json) : std::unexpected(jsonrpc::CallFailure{.message = "down"});
        source.on_reply(call.id, answer, now);
      }
      if (source.tip() != before) found = now;
    }
  }
  void run_for(Duration duration) {
    const Instant end = now + duration;
    while (source.next_timer() && *source.next_timer() <= end) {
      now = std::max(now, *source.next_timer());
      source.on_timer(now);
      settle();
    }
    now = end;
  }
  void hint(const SimulatedBlock& block, HeadHints::Source from = 0, HeadHints::Source preferred = 0) {
    Header header;
    header.number = block.number;
    header.hash = block.hash;
    source.saw_hint(from, preferred, header, now);
    settle();
  }
  void lie(HeadHints::Source from = 0) {
    SimulatedBlock block;
    block.number = node.head().number + 1;
    random.fill(MutableBytes(block.hash.bytes));
    hint(block, from);
  }
  // With its true timestamp.
  void mine() {
    node.mine(1);
    node.at(node.head().number).timestamp_s =
        static_cast<std::uint64_t>(now.time_since_epoch() / std::chrono::seconds(1));
  }
  void mine_and_hint() {
    mine();
    hint(node.head());
  }
  // Whether the source announces blocks before polls find them.
  bool is_of_use(HeadHints::Source from = 0) {
    while (const auto use = source.take_hints_use()) {
      of_use[use->source] = use->of_use;
      uses.push_back(use->of_use);
    }
    return of_use[from];
  }
  void mine_and_find() {
    mine();
    run_for(12s);
    EXPECT_TRUE(is_up_to_date());
  }
  std::uint64_t polls() const { return source.head_status().polls; }
  std::uint64_t tip() const { return source.tip()->number; }
  bool is_up_to_date() const { return tip() == node.head().number; }
};

}  // namespace fanfare::eth
