#pragma once
// The parameters of eth_subscribe: type, its own parameter, and the options that only Fanfare has.
//
//   ["newHeads"]                            ["newHeads", OPTIONS]
//   ["logs", FILTER]                        ["logs", FILTER, OPTIONS]
//   ["newPendingTransactions", BOOLEAN]     ["newPendingTransactions", BOOLEAN, OPTIONS]
//   ["syncing"]                             ["syncing", OPTIONS]
//   ["transactionReceipts", RECEIPTS]       ["transactionReceipts", RECEIPTS, OPTIONS]
//
//   OPTIONS = {"cursor": true | "<cursor>", "slow": "close" | "latest"}
//
// Pending transactions have no cursor: true requests notices only.

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "eth/block_receipts.h"
#include "eth/cursor.h"
#include "eth/log_filter.h"

namespace fanfare::eth {

enum class SubscriptionType : std::uint8_t {
  new_heads,
  logs,
  new_pending_transactions,
  syncing,
  transaction_receipts,
};
inline constexpr std::size_t kSubscriptionTypes = 5;

// A set of types: bits in the enumerators' order.
using SubscriptionTypes = std::bitset<kSubscriptionTypes>;
inline constexpr SubscriptionTypes kNewHeadsOnly{1U};
inline constexpr SubscriptionTypes kAllSubscriptionTypes{0x1FU};

// The name that clients use.
std::string_view name_of(SubscriptionType type);
// Its notifications have a position in the chain, from which they can be replayed.
bool is_resumable(SubscriptionType type);

struct RpcError {
  int code = 0;
  std::string message;
};

struct SubscriptionRequest {
  SubscriptionType type = SubscriptionType::new_heads;
  // Type, parameters and whether there are cursors, in canonical form: requests with equal topics get the
  // same stream of texts.
  std::string topic;
  LogFilter filter;  // of logs
  ReceiptFilter receipts;
  bool has_cursors = false;
  // For pending transactions, which have no cursors: at a gap the stream ends with a notice, and the
  // connection stays open.
  bool ends_with_notice = false;
  std::optional<Position> resume_from;
  // For heads: a slow reader is sent the latest one and a notice, and its connection is not closed.
  bool latest_if_slow = false;
};

// `params_json` is the raw `params` of the request; empty if it has none. `types`: the supported types.
std::expected<SubscriptionRequest, RpcError> parse_subscription(std::string_view params_json,
                                                                SubscriptionTypes types);

// The topics of the types without parameters.
inline constexpr std::string_view kNewHeadsTopic = "newHeads";
inline constexpr std::string_view kNewHeadsCursorTopic = "newHeads#cursor";
inline constexpr std::string_view kPendingHashesTopic = "newPendingTransactions";
inline constexpr std::string_view kPendingBodiesTopic = "newPendingTransactions:full";
// With ends_with_notice.
inline constexpr std::string_view kPendingHashesNoticeTopic = "newPendingTransactions#cursor";
inline constexpr std::string_view kPendingBodiesNoticeTopic = "newPendingTransactions:full#cursor";
inline constexpr std::string_view kSyncingTopic = "syncing";

}  // namespace fanfare::eth
