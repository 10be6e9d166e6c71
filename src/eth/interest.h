#pragma once
// What subscriptions need from the sources: what nobody needs is not asked for.

#include <algorithm>
#include <cstdint>

namespace fanfare::eth {

enum class PendingWanted : std::uint8_t { nothing, hashes, bodies };

struct Interest {
  static constexpr std::uint64_t kFromNow = ~std::uint64_t{0};

  bool logs = false;
  // The logs of blocks from this one on: the one after the head that the subscriber's loop published last, so
  // that a subscription just answered misses nothing while the interest is on its way to the source.
  std::uint64_t logs_from_block = kFromNow;
  PendingWanted pending = PendingWanted::nothing;
  bool syncing = false;
  bool receipts = false;
  std::uint64_t receipts_from_block = kFromNow;  // as for logs

  friend bool operator==(const Interest&, const Interest&) = default;
};

// What two loops need together.
inline Interest merged(const Interest& one, const Interest& other) {
  return {.logs = one.logs || other.logs,
          .logs_from_block = std::min(one.logs_from_block, other.logs_from_block),
          .pending = std::max(one.pending, other.pending),
          .syncing = one.syncing || other.syncing,
          .receipts = one.receipts || other.receipts,
          .receipts_from_block = std::min(one.receipts_from_block, other.receipts_from_block)};
}

}  // namespace fanfare::eth
