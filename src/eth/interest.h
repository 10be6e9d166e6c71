#pragma once
// What subscriptions need from the sources; nothing else is requested.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "eth/feeds/subscription_type.h"
#include "eth/hex.h"

namespace fanfare::eth {

enum class PendingWanted : std::uint8_t { nothing, hashes, bodies };

// A block as a loop saw it: its position in the chain.
struct BlockId {
  std::uint64_t number = 0;
  Hash256 hash;

  friend bool operator==(const BlockId&, const BlockId&) = default;
};

struct Interest {
  bool logs = false;
  // The block that the loop had published last when its first subscriber to logs came. The logs of all later
  // blocks are reported, so that a new subscription misses nothing while the interest is on its way, whatever
  // the chain does meanwhile. Empty: the loop knew of no block.
  std::optional<BlockId> logs_after;
  PendingWanted pending = PendingWanted::nothing;
  bool receipts = false;
  std::optional<BlockId> receipts_after;  // as for logs
  SubscriptionTypes sources;              // types with a source of their own (feeds/feed.h)

  friend bool operator==(const Interest&, const Interest&) = default;
};

// What two loops need together, except where logs and receipts begin: that differs per loop.
inline Interest merged(const Interest& one, const Interest& other) {
  return {.logs = one.logs || other.logs,
          .logs_after = {},
          .pending = std::max(one.pending, other.pending),
          .receipts = one.receipts || other.receipts,
          .receipts_after = {},
          .sources = one.sources | other.sources};
}

}  // namespace fanfare::eth
