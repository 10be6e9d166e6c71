#pragma once
// Which logs a caller wants, with geth's meaning.

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
