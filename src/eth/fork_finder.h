#pragma once
// Where a reader's branch left the chain, from what its position names, removed blocks that are known, and what a node has.
// No I/O. One thread.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "eth/block_fetches.h"
#include "eth/cursor.h"
#include "eth/known_chain.h"

namespace fanfare::eth {

struct HistoryOptions;

class ForkFinder {
 public:
  // All must outlive it.
  ForkFinder(const HistoryOptions& options, KnownChain& chain, BlockFetches& fetches)
      : options_(options), chain_(chain), fetches_(fetches) {}

  // Of the fetches.
  void begin_round() { reached_for_.reset(); }
  // Whether the chain is known from this block on. The chain is not empty, here and below.
  Have reach_down(std::uint64_t number, Instant now);
  // The last common block of the reader's branch and the chain, if it is in the window.
  Have find_fork(const Position& from, std::uint64_t& fork, Instant now);
  // Lowers `fork` to the lowest of theirs.
  Have find_lowest(const std::vector<Position>& readers, std::uint64_t& fork, Instant now);
  // The first block of which the reader does not have everything, or has what another block has replaced. For a reader that is
  // not replayed: this looks below the window, too, with two calls at most. 0: the branches may differ from the beginning.
  // Never Have::never.
  Have find_first_missing(const Position& from, std::uint64_t& first, Instant now);

 private:
  // never: another block has this number, or none, or no node returns it.
  template <typename Predicate>
  Have matches_chain_at(std::uint64_t number, Predicate&& is_expected, Instant now);

  const HistoryOptions& options_;
  KnownChain& chain_;
  BlockFetches& fetches_;
  std::optional<std::uint64_t> reached_for_;  // in this round: all from this block up is requested
};

}  // namespace fanfare::eth
