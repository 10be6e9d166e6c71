#include "eth/announced_chain.h"

#include <ranges>
#include <utility>

namespace fanfare::eth {

bool AnnouncedChain::shows(std::uint64_t number, const Hash256& hash) const {
  return number >= first_ && number < end() && view_[number - first_] == hash;
}

void AnnouncedChain::begin(HeaderPtr header) {
  view_ = {header->hash};
  first_ = header->number;
  tip_ = header;
  events_.emplace_back(Baseline{std::move(header)});
}

void AnnouncedChain::append(HeaderPtr header) {
  if (view_.empty()) first_ = header->number;
  view_.push_back(header->hash);
  while (view_.size() > std::size_t{window_blocks_} + 1) {
    view_.pop_front();
    ++first_;
    trimmed_ = true;
  }
  tip_ = header;
  events_.emplace_back(NewHead{std::move(header)});
}

void AnnouncedChain::prepend(const std::map<std::uint64_t, HeaderPtr>& blocks) {
  Hash256 parent = tip_->parent_hash;
  for (const auto& [number, block] : blocks | std::views::reverse) {
    if (number + 1 != first_ || block->hash != parent) return;
    parent = block->parent_hash;
    view_.push_front(block->hash);
    --first_;
  }
}

void AnnouncedChain::keep_below(std::uint64_t number, const Header& target) {
  const std::uint64_t keep = number > first_ ? number - first_ : 0;
  const std::uint64_t depth = view_.size() - keep;
  if (depth > 0) add_reorg(depth, target, keep == 0 && trimmed_);
  view_.resize(keep);
}

void AnnouncedChain::go_back_to(const Header& target) {
  add_reorg(view_.size(), target, true);
  forget();
}

void AnnouncedChain::lose(const Header& target) {
  if (target.number <= end()) return go_back_to(target);
  skip({.first = end(), .last = target.number - 1});
}

void AnnouncedChain::skip(const Gap& gap) {
  events_.emplace_back(gap);
  forget();
}

void AnnouncedChain::restart(HeaderPtr genesis, const Header& target) {
  add_reorg(view_.size(), target, trimmed_, true);
  view_ = {genesis->hash};
  first_ = 0;
  trimmed_ = false;
  tip_ = std::move(genesis);
}

std::vector<HeadEvent> AnnouncedChain::take_events() {
  return std::exchange(events_, {});
}

void AnnouncedChain::forget() {
  view_.clear();
  trimmed_ = true;
}

void AnnouncedChain::add_reorg(std::uint64_t depth, const Header& target, bool beyond_window,
                               bool other_genesis) {
  events_.emplace_back(Reorg{.depth = depth,
                             .old_number = tip_->number,
                             .old_hash = tip_->hash,
                             .new_number = target.number,
                             .new_hash = target.hash,
                             .beyond_window = beyond_window,
                             .other_genesis = other_genesis});
}

}  // namespace fanfare::eth
