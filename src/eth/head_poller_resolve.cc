// The second half of the head poller: how a block that is not the child of our tip is linked to the announced
// chain. The first half, head_poller.cc, has the rounds and the state.

#include <algorithm>
#include <ranges>
#include <utility>

#include "eth/head_poller.h"

namespace fanfare::eth {

// branch_ is linked and ends at the target. Links it to the announced chain, or requests the missing blocks.
void HeadPoller::resolve(Instant now) {
  for (auto known = walked_.find(branch_.front()->parent_hash); known != walked_.end();
       known = walked_.find(branch_.front()->parent_hash)) {
    if (branch_.front()->number <= view_first_) break;
    branch_.push_front(known->second);
  }
  const Header& lowest = *branch_.front();
  if (lowest.number > view_first_ && in_view(lowest.number - 1, lowest.parent_hash)) {
    attach(false);
    return finish_round(now);
  }
  if (lowest.number <= view_first_) {
    attach(true);
    return finish_round(now);
  }
  if (lowest.number > view_end()) return start_filling(now);
  phase_ = Phase::walking;
  outstanding_.emplace(call(kByHash, to_hex(lowest.parent_hash), lowest.number), 0);
}

void HeadPoller::on_walked(std::string_view json, Instant now) {
  auto block = read_block(json);
  if (!block) {
    if (!ask_again(0)) cannot_resolve("parent: " + block.error(), now);
    return;
  }
  const Header& child = *branch_.front();
  if ((*block)->hash != child.parent_hash || (*block)->number + 1 != child.number) {
    if (!ask_again(0)) cannot_resolve("the node answered another block than the parent asked for", now);
    return;
  }
  ++status_.backfilled;
  if (walked_.size() > 2ULL * options_.window_blocks) walked_.clear();  // forks of forks
  walked_.emplace((*block)->hash, *block);
  branch_.push_front(std::move(*block));
  resolve(now);
}

// One unusable answer does not end the round or discard its other answers. False: the round must end.
bool HeadPoller::ask_again(std::uint64_t number) {
  const bool walks = phase_ == Phase::walking;
  if (!walks && phase_ != Phase::filling) return false;
  const Header* const child = walks ? branch_.front().get() : nullptr;
  const std::uint32_t tries = ++failed_tries_[walks ? child->number - 1 : number];
  if (tries >= options_.block_tries_max) return false;
  outstanding_.emplace(walks ? call(kByHash, to_hex(child->parent_hash), child->number)
                             : call(kByNumber, to_quantity(number), number),
                       number);
  calls_.back().attempt = tries;  // to another node, if there is one
  return true;
}

void HeadPoller::start_filling(Instant now) {
  std::uint64_t first = view_end();
  fill_end_ = target_->number - 1;
  gap_before_fill_.reset();
  if (fill_end_ - first >= options_.catch_up_blocks_max) {
    const std::uint64_t resume = target_->number - options_.catch_up_blocks_max;
    gap_before_fill_ = Gap{.first = first, .last = resume - 1};
    first = resume;
  }
  fill_next_announce_ = first;
  fill_next_ask_ = first;
  phase_ = Phase::filling;
  if (first > fill_end_) {  // catch_up_blocks_max is 0: only the target is needed
    jump_to_target();
    return finish_round(now);
  }
  ask_to_fill();
}

void HeadPoller::ask_to_fill() {
  // Blocks that arrive early wait: the second bound keeps a slow answer from piling up the others.
  const std::uint64_t ahead_max = 4ULL * options_.calls_in_flight_max;
  while (outstanding_.size() < options_.calls_in_flight_max && fill_next_ask_ <= fill_end_ &&
         fill_next_ask_ < fill_next_announce_ + ahead_max) {
    outstanding_.emplace(call(kByNumber, to_quantity(fill_next_ask_), fill_next_ask_), fill_next_ask_);
    ++fill_next_ask_;
  }
}

void HeadPoller::on_filled(std::uint64_t number, std::string_view json, Instant now) {
  auto block = read_block(json);
  if (!block) {
    if (!ask_again(number)) cannot_resolve("block " + std::to_string(number) + ": " + block.error(), now);
    return;
  }
  if ((*block)->number != number) {
    if (ask_again(number)) return;
    return cannot_resolve("the node answered another block than number " + std::to_string(number), now);
  }
  ++status_.backfilled;
  filled_.emplace(number, std::move(*block));
  if (!announce_filled(now)) return;
  if (fill_next_announce_ <= fill_end_) return ask_to_fill();
  branch_ = {target_};
  resolve(now);
}

// False: a block does not link, and the round has turned into a walk from there.
bool HeadPoller::announce_filled(Instant now) {
  while (!filled_.empty() && filled_.begin()->first == fill_next_announce_) {
    HeaderPtr block = std::move(filled_.begin()->second);
    filled_.erase(filled_.begin());
    if (gap_before_fill_) {
      events_.emplace_back(*gap_before_fill_);
      gap_before_fill_.reset();
      view_.clear();
      view_trimmed_ = true;
    } else if (block->parent_hash != view_.back()) {
      // The chain forked below the announced blocks: this block first, the next poll brings the rest.
      outstanding_.clear();
      filled_.clear();
      behind_ = true;
      target_ = block;
      branch_ = {std::move(block)};
      resolve(now);
      return false;
    }
    announce(std::move(block));
    ++fill_next_announce_;
  }
  return true;
}

// The branch replaces the blocks above its parent, or all blocks.
void HeadPoller::attach(bool whole_window) {
  const std::uint64_t keep = whole_window ? 0 : branch_.front()->number - view_first_;
  const std::uint64_t depth = view_.size() - keep;
  if (depth > 0) announce_reorg(depth, whole_window, false);
  view_.resize(keep);
  for (HeaderPtr& header : branch_) announce(std::move(header));
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
  announce_reorg(view_.size(), true, false);
  std::get<Reorg>(events_.back()).beyond_window = true;
  view_trimmed_ = true;
  set_baseline(target_);  // the chain went back to it: not a new block
  stale_polls_ = 0;
  finish_round(now);
}

void HeadPoller::replace_chain(HeaderPtr genesis, Instant now) {
  announce_reorg(view_.size(), true, true);
  view_ = {genesis->hash};
  view_first_ = 0;
  view_trimmed_ = false;
  genesis_ = genesis->hash;
  tip_ = std::move(genesis);
  stale_polls_ = 0;
  if (target_->number == 0) return finish_round(now);
  branch_ = {target_};
  resolve(now);
}

// Continues from the target and reports the lost blocks.
void HeadPoller::jump_to_target() {
  if (target_->number > view_end()) {
    events_.emplace_back(Gap{.first = view_end(), .last = target_->number - 1});
  } else {
    announce_reorg(view_.size(), true, false);
    std::get<Reorg>(events_.back()).beyond_window = true;
  }
  view_.clear();
  view_trimmed_ = true;
  announce(target_);
}

void HeadPoller::announce_reorg(std::uint64_t depth, bool whole_window, bool other_genesis) {
  events_.emplace_back(Reorg{.depth = depth,
                             .old_number = tip_->number,
                             .old_hash = tip_->hash,
                             .new_number = target_->number,
                             .new_hash = target_->hash,
                             .beyond_window = whole_window && view_trimmed_,
                             .other_genesis = other_genesis});
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
    outstanding_.emplace(call(kByNumber, to_quantity(number)), number);
  }
}

void HeadPoller::on_backfilled(std::uint64_t number, std::string_view json, Instant now) {
  if (auto block = read_block(json); block && (*block)->number == number) {
    ++status_.backfilled;
    filled_.emplace(number, std::move(*block));
  }
  if (!outstanding_.empty()) return;
  Hash256 parent = tip_->parent_hash;
  for (const auto& [at, block] : filled_ | std::views::reverse) {
    if (at + 1 != view_first_ || block->hash != parent) break;
    parent = block->parent_hash;
    view_.push_front(block->hash);
    --view_first_;
  }
  finish_round(now);
}

}  // namespace fanfare::eth
