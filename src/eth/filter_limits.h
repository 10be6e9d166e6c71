#pragma once
// Limits and counters for the filters of eth_newFilter, eth_newBlockFilter and
// eth_newPendingTransactionFilter in one network. Each limit has its default here.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace fanfare::eth {

struct FilterLimits {
  std::size_t filters_max = 10'000;           // of the network; one more is rejected with -32005
  std::size_t filters_per_owner_max = 1'000;  // also rejected with -32005; does not apply to the owner ""
  // Memory of the filters themselves: criteria, and bookkeeping per filter.
  std::size_t criteria_bytes_max = std::size_t{64} << 20;
  std::size_t criteria_bytes_per_owner_max = std::size_t{8} << 20;
  // Events that some filter has not read yet; blocks and pending transactions count separately. Beyond the
  // limit the oldest are dropped, and so are the filters that have not read them.
  std::size_t kept_bytes_max = std::size_t{64} << 20;
  // An answer to eth_getFilterChanges ends after the block that reaches this; the rest comes with the next
  // call.
  std::size_t changes_bytes_max = std::size_t{8} << 20;
  Duration idle_max = std::chrono::minutes(5);  // a filter that is not queried for so long is removed

  bool operator==(const FilterLimits&) const = default;
};

// Outcomes of filters so far.
struct FilterCounters {
  std::uint64_t created = 0;
  std::uint64_t refused = 0;  // -32005: a limit was reached
  std::uint64_t expired = 0;  // not queried for idle_max
  std::uint64_t lost = 0;     // an event was missing when they were queried
  std::uint64_t removed = 0;  // eth_uninstallFilter
};

}  // namespace fanfare::eth
