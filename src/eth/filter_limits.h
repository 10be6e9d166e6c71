#pragma once
// What the filters of eth_newFilter and its kin may cost a network, and what is counted of them. Each limit
// has its default here.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace fanfare::eth {

struct FilterLimits {
  std::size_t filters_max = 10'000;           // of the network; one more is refused with -32005
  std::size_t filters_per_owner_max = 1'000;  // likewise; not for the owner ""
  // What filters hold by themselves: criteria, and what is kept with each.
  std::size_t criteria_bytes_max = std::size_t{64} << 20;
  std::size_t criteria_bytes_per_owner_max = std::size_t{8} << 20;
  // Events that some filter has not asked for yet, of blocks and of pending transactions each. Past it the
  // oldest go, and with them the filters that are so far behind.
  std::size_t kept_bytes_max = std::size_t{64} << 20;
  // One answer to eth_getFilterChanges ends after the block that fills it; the rest comes with the next.
  std::size_t changes_bytes_max = std::size_t{8} << 20;
  Duration idle_max = std::chrono::minutes(5);  // a filter that nobody asks for so long goes

  bool operator==(const FilterLimits&) const = default;
};

// What became of filters so far.
struct FilterCounters {
  std::uint64_t created = 0;
  std::uint64_t refused = 0;  // -32005: a limit was reached
  std::uint64_t expired = 0;  // nobody asked for idle_max
  std::uint64_t lost = 0;     // something was missing when they were asked
  std::uint64_t removed = 0;  // eth_uninstallFilter
};

}  // namespace fanfare::eth
