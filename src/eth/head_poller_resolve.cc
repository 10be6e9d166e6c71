// The second half of the head poller: how a block that is not the child of our tip is linked to the announced
// chain. The first half, head_poller.cc, has the rounds and the state.

#include <algorithm>
#include <utility>

#include "eth/head_poller.h"

namespace fanfare::eth {

// branch_ is linked and ends at the target. Links it to the announced chain, or requests the missing blocks.
void HeadPoller::resolve(Instant now) {
  branch_.add_remembered(chain_.first());
  const Header& lowest = branch_.lowest();
  const bool links = lowest.number > chain_.first() && shows(lowest.number - 1, lowest.parent_hash);
  if (links || lowest.number <= chain_.first()) {
    attach();
    return finish_round(now);
  }
  if (lowest.number > chain_.end()) return start_filling(now);
  phase_ = Phase::walking;
  ask(block_by_hash(lowest.parent_hash, lowest.number));
}

void HeadPoller::on_walked(BlockRequest request, std::string_view json, Instant now) {
  auto block = read_block(json);
  if (block && !branch_.add_parent(*block)) block = std::unexpected("the node answered another block");
  if (!block) {
    if (!ask_again(std::move(request))) cannot_resolve("parent: " + block.error(), now);
    return;
  }
  ++status_.backfilled;
  resolve(now);
}

void HeadPoller::start_filling(Instant now) {
  std::uint64_t first = chain_.end();
  const std::uint64_t last = target_->number - 1;
  std::optional<Gap> skipped;
  if (last - first >= options_.catch_up_blocks_max) {
    const std::uint64_t resume = target_->number - options_.catch_up_blocks_max;
    skipped = Gap{.first = first, .last = resume - 1};
    first = resume;
  }
  phase_ = Phase::filling;
  if (first > last) return jump_to_target(now);  // catch_up_blocks_max is 0: only the target is needed
  fill_.start(first, last, skipped);
  ask_to_fill();
}

void HeadPoller::ask_to_fill() {
  while (const auto number = fill_.take_request(requests_.in_flight())) {
    ask(block_by_number(*number, *number));
  }
}

void HeadPoller::on_filled(BlockRequest request, std::string_view json, Instant now) {
  const std::uint64_t number = request.number;
  auto block = read_block(json);
  if (block && (*block)->number != number) block = std::unexpected("the node answered another block");
  if (!block) {
    if (ask_again(std::move(request))) return;
    return cannot_resolve("block " + std::to_string(number) + ": " + block.error(), now);
  }
  ++status_.backfilled;
  fill_.add(number, std::move(*block));
  if (!announce_filled(now)) return;
  if (!fill_.is_done()) return ask_to_fill();
  branch_.start(target_);
  resolve(now);
}

// False: a block does not link, and the round has turned into a walk from there.
bool HeadPoller::announce_filled(Instant now) {
  while (HeaderPtr block = fill_.take_next()) {
    if (const auto skipped = fill_.take_skipped()) {
      chain_.skip(*skipped);
    } else if (!chain_.continues_with(*block)) {
      // The chain forked below the announced blocks: this block first, the next poll brings the rest.
      requests_.forget();
      fill_.clear();
      behind_ = true;
      target_ = block;
      branch_.start(std::move(block));
      resolve(now);
      return false;
    }
    announce(std::move(block));
  }
  return true;
}

// The branch replaces the blocks above its parent, or all blocks.
void HeadPoller::attach() {
  chain_.keep_below(branch_.lowest().number, *target_);
  for (HeaderPtr& header : branch_.take()) announce(std::move(header));
}

// --- targets far from the known chain --------------------------------------------------------------

void HeadPoller::on_genesis(std::string_view json, Instant now) {
  auto genesis = read_block(json);
  if (!genesis || (*genesis)->number != 0 || (*genesis)->hash == *genesis_) return still_stale(now);
  replace_chain(std::move(*genesis), now);
}

// A head below every known block, apparently of our chain: treated as a lagging node until it persists.
void HeadPoller::still_stale(Instant now) {
  if (++stale_polls_ < options_.stale_polls_max) return finish_round(now);
  chain_.go_back_to(*target_);
  set_baseline(target_);  // the chain went back to it: not a new block
  stale_polls_ = 0;
  finish_round(now);
}

void HeadPoller::replace_chain(HeaderPtr genesis, Instant now) {
  genesis_ = genesis->hash;
  chain_.restart(std::move(genesis), *target_);
  stale_polls_ = 0;
  if (target_->number == 0) return finish_round(now);
  branch_.start(target_);
  resolve(now);
}

// Continues from the target and reports the lost blocks.
void HeadPoller::jump_to_target(Instant now) {
  chain_.lose(*target_);
  announce(target_);
  finish_round(now);
}

// --- blocks below the start ------------------------------------------------------------------------

// A fork soon after the start may begin at a block before it. The blocks above that one are then new heads
// too, so a few old blocks are remembered. An unavailable block ends the backfill; nothing depends on it.
void HeadPoller::start_backfill(Instant now) {
  const std::uint64_t count =
      std::min<std::uint64_t>({options_.backfill_blocks, options_.calls_in_flight_max, target_->number});
  if (count == 0) return finish_round(now);
  phase_ = Phase::backfilling;
  for (std::uint64_t number = target_->number - count; number < target_->number; ++number) {
    ask(block_by_number(number));
  }
}

void HeadPoller::on_backfilled(std::uint64_t number, std::string_view json, Instant now) {
  if (auto block = read_block(json); block && (*block)->number == number) {
    ++status_.backfilled;
    below_start_.emplace(number, std::move(*block));
  }
  if (requests_.in_flight() > 0) return;
  chain_.prepend(below_start_);
  finish_round(now);
}

}  // namespace fanfare::eth
