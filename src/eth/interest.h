#pragma once
// What subscriptions need from the sources: what nobody needs is not asked for.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "eth/hex.h"

namespace fanfare::eth {

enum class PendingWanted : std::uint8_t { nothing, hashes, bodies };

// Where in the chain a loop stood, as it saw it.
struct BlockId {
  std::uint64_t number = 0;
  Hash256 hash;

  friend bool operator==(const BlockId&, const BlockId&) = default;
};

struct Interest {
  bool logs = false;
  // The block that the loop had published last when logs began to be wanted there: those of every block that
  // comes after it are told, so that a subscription just answered misses nothing while the interest is on its
  // way to the source, whatever happens to the chain meanwhile. Empty: it knew of none.
  std::optional<BlockId> logs_after;
  PendingWanted pending = PendingWanted::nothing;
  bool syncing = false;
  bool receipts = false;
  std::optional<BlockId> receipts_after;  // as for logs

  friend bool operator==(const Interest&, const Interest&) = default;
};

// What two loops need together, but for where logs and receipts begin: that is each loop's own.
inline Interest merged(const Interest& one, const Interest& other) {
  return {.logs = one.logs || other.logs,
          .logs_after = {},
          .pending = std::max(one.pending, other.pending),
          .syncing = one.syncing || other.syncing,
          .receipts = one.receipts || other.receipts,
          .receipts_after = {}};
}

}  // namespace fanfare::eth
