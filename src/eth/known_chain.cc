#include "eth/known_chain.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace fanfare::eth {

bool KnownChain::contains(std::uint64_t number, const Hash256& hash) const {
  return !chain_.empty() && number >= first() && number <= tip() && at(number).header->hash == hash;
}

const Header* KnownChain::header_at(std::uint64_t number) const {
  if (!chain_.empty() && number >= first() && number <= tip()) return at(number).header.get();
  const auto found = older_.find(number);
  return found == older_.end() ? nullptr : found->second.get();
}

Position KnownChain::position_at(std::uint64_t number) const {
  Trail trail;
  const std::uint64_t behind = std::min<std::uint64_t>(number - first(), Position::kAncestorsMax);
  for (std::uint64_t i = number - behind; i <= number; ++i) trail.move_to(*at(i).header);
  return trail.position(Position::kAll);
}

void KnownChain::push(const HeaderPtr& header, const BlockLogsPtr& logs) {
  chain_.push_back(with_what_is_known({.header = header, .logs = logs}));
  while (chain_.size() > blocks_max_) chain_.pop_front();
}

// A block that was removed and is part of the chain again: data fetched for it before is still valid.
KnownChain::Block KnownChain::with_what_is_known(Block block) {
  const auto gone = removed_.extract(block.header->hash);
  if (gone.empty()) return block;
  std::erase(removed_by_age_, gone.key());
  if (block.logs == nullptr) block.logs = gone.mapped().logs;
  block.receipts = gone.mapped().receipts;
  block.has_come_back = true;
  return block;
}

void KnownChain::remove_tip() {
  remember_removed(std::move(chain_.back()));
  chain_.pop_back();
}

bool KnownChain::add_older(HeaderPtr header) {
  const bool is_next = !chain_.empty() && header->number + 1 == first();
  if (is_next && header->hash != chain_.front().header->parent_hash) return false;
  // Readers come back with positions of any age. One that still needs a block asks again.
  if (older_.size() >= 2 * blocks_max_) older_.clear();
  older_.insert_or_assign(header->number, std::move(header));
  return true;
}

void KnownChain::link_older() {
  for (auto block = older_.find(first() - 1); first() > 0 && block != older_.end();
       block = older_.find(first() - 1)) {
    const bool links = block->second->hash == chain_.front().header->parent_hash;
    if (links) chain_.push_front(with_what_is_known({.header = std::move(block->second), .logs = nullptr}));
    // A block that does not link is of another branch, or the node is on one: it is requested again.
    older_.erase(block);
    if (!links) return;
  }
}

void KnownChain::remember_removed(Block block) {
  const Hash256 hash = block.header->hash;
  block.removal = removals_;
  const auto [place, is_new] = removed_.try_emplace(hash, block);
  if (!is_new) {
    if (block.logs != nullptr) place->second.logs = std::move(block.logs);
    return;
  }
  ++removals_;
  removed_by_age_.push_back(hash);
  if (removed_by_age_.size() <= removed_max_) return;
  removed_.erase(removed_by_age_.front());
  removed_by_age_.pop_front();
}

const KnownChain::Block* KnownChain::find_removed(const Hash256& hash) const {
  const auto found = removed_.find(hash);
  return found == removed_.end() ? nullptr : &found->second;
}

std::optional<Position> KnownChain::below_what_came_back(const Position& from, std::uint64_t depth) const {
  if (!contains(from.number, from.hash)) return std::nullopt;
  const std::uint64_t lowest = from.number - std::min(from.number, depth);
  for (std::uint64_t number = std::max(first() + 1, lowest); number <= from.number; ++number) {
    if (at(number).has_come_back) return position_at(number - 1);
  }
  return std::nullopt;
}

std::vector<const KnownChain::Block*> KnownChain::removed_from(std::uint64_t number,
                                                               std::uint64_t since) const {
  std::vector<const Block*> found;
  for (const auto& [hash, block] : removed_) {
    if (block.header->number >= number && block.removal >= since) found.push_back(&block);
  }
  std::ranges::stable_sort(found, std::greater(), [](const Block* one) { return one->header->number; });
  return found;
}

KnownChain::Block* KnownChain::find(const Hash256& hash) {
  const auto removed = removed_.find(hash);
  if (removed != removed_.end()) return &removed->second;
  const auto block = std::ranges::find_if(chain_, [&](const Block& one) { return one.header->hash == hash; });
  return block == chain_.end() ? nullptr : &*block;
}

bool KnownChain::may_be_below(const Position& from) const {
  if (from.number <= tip()) return false;
  const std::uint64_t distance = from.number - tip();
  if (distance > from.ancestors.size()) return true;
  return from.ancestors[distance - 1] == prefix_of(back().header->hash);
}

// The last common block of the reader's branch and the chain, as far as the position itself shows it.
std::optional<std::uint64_t> KnownChain::named_ancestor(const Position& from) const {
  for (std::uint64_t i = 0; i < from.ancestors.size(); ++i) {
    const std::uint64_t number = from.number - 1 - i;
    if (number < first() || number > tip()) continue;
    if (prefix_of(at(number).header->hash) == from.ancestors[i]) return number;
  }
  return std::nullopt;
}

}  // namespace fanfare::eth
