#include "eth/fork_finder.h"

#include <algorithm>

#include "eth/history.h"

namespace fanfare::eth {
namespace {

std::uint64_t lowest_named(const Position& from) {
  return from.number - std::min<std::uint64_t>(from.number, from.ancestors.size());
}

}  // namespace

Have ForkFinder::reach_down(std::uint64_t number, Instant now) {
  chain_.link_older();
  if (number >= chain_.first()) return Have::yes;
  if (reached_for_ && *reached_for_ <= number) return Have::not_yet;
  for (std::uint64_t next = chain_.first(); next-- > number;) {
    if (chain_.has_older(next)) continue;
    const BlockPart part{.what = BlockPart::What::header_by_number, .number = next};
    if (fetches_.want(part, options_.attempts_max, now) == Have::never) return Have::never;
  }
  reached_for_ = number;
  return Have::not_yet;
}

Have ForkFinder::find_fork(const Position& from, std::uint64_t& fork, Instant now) {
  if (const Have have = reach_down(std::min(lowest_named(from), chain_.tip()), now); have != Have::yes)
    return have;
  if (const auto named = chain_.named_ancestor(from)) {
    fork = *named;
    return Have::yes;
  }
  // Below the named ancestors: uses the removed blocks, if they are known or a node has them.
  Hash256 hash = from.hash;
  for (std::uint64_t number = from.number;; --number) {
    if (chain_.contains(number, hash)) {
      fork = number;
      return Have::yes;
    }
    if (number == 0 || number + options_.window_blocks < chain_.tip()) return Have::never;
    const KnownChain::Block* const block = chain_.find_removed(hash);
    if (block == nullptr) {
      return fetches_.want({.what = BlockPart::What::header_by_hash, .hash = hash},
                           options_.branch_attempts_max, now);
    }
    if (block->header->number != number) return Have::never;
    hash = block->header->parent_hash;
    if (number - 1 > chain_.tip()) continue;
    if (const Have have = reach_down(number - 1, now); have != Have::yes) return have;
  }
}

Have ForkFinder::find_lowest(const std::vector<Position>& readers, std::uint64_t& fork, Instant now) {
  Have all = Have::yes;
  for (const Position& position : readers) {
    std::uint64_t lowest = position.number;
    Have have = Have::yes;
    if (position.number <= chain_.tip()) have = reach_down(position.number, now);
    if (have == Have::yes && !chain_.contains(position.number, position.hash))
      have = find_fork(position, lowest, now);
    if (have == Have::never) return have;
    if (have == Have::not_yet) all = have;
    fork = std::min(fork, lowest);
  }
  return all;
}

Have ForkFinder::find_first_missing(const Position& from, std::uint64_t& first, Instant now) {
  first = 0;
  std::uint64_t number = from.number;
  Hash256 hash = from.hash;
  while (const KnownChain::Block* const gone = chain_.find_removed(hash)) {
    if (gone->header->number != number || number == 0) return Have::yes;
    hash = gone->header->parent_hash;
    --number;
  }
  const auto is_on_chain = [&](const Header& header) { return header.hash == hash; };
  const Have have = matches_chain_at(number, is_on_chain, now);
  if (have == Have::not_yet) return have;
  if (have == Have::yes) {
    first = number == from.number && from.logs_told != Position::kAll ? number : number + 1;
    return Have::yes;
  }
  const std::uint64_t lowest = lowest_named(from);
  if (lowest >= number || lowest == from.number) return Have::yes;
  const auto is_named = [&](const Header& header) { return prefix_of(header.hash) == from.ancestors.back(); };
  const Have named = matches_chain_at(lowest, is_named, now);
  if (named == Have::yes) first = lowest + 1;
  return named == Have::not_yet ? named : Have::yes;
}

template <typename Predicate>
Have ForkFinder::matches_chain_at(std::uint64_t number, Predicate&& is_expected, Instant now) {
  if (number > chain_.tip()) return Have::never;
  const Header* const header = chain_.header_at(number);
  if (header != nullptr) return is_expected(*header) ? Have::yes : Have::never;
  return fetches_.want({.what = BlockPart::What::header_by_number, .number = number}, options_.attempts_max,
                       now);
}

}  // namespace fanfare::eth
