#pragma once
// A filter for logs, with geth's semantics.

#include "devchain/block.h"

namespace fanfare::devchain {

struct LogFilter {
  static constexpr std::size_t kPositionsMax = 4;
  static constexpr std::size_t kAlternativesMax = 1000;

  std::vector<Address> addresses;         // empty: any
  std::vector<std::vector<Hash>> topics;  // a position's alternatives; none: any

  // A log with fewer topics than the filter has positions never matches.
  bool matches(const Log& log) const;
  // False: no log of a block with this bloom can match.
  bool may_match(const Bloom& bloom) const;
};

}  // namespace fanfare::devchain
