#pragma once
// What an eth_subscribe asks for: type, its own parameter, and the options that only Fanfare knows.
//
//   ["newHeads"]                            ["newHeads", OPTIONS]
//   ["logs", FILTER]                        ["logs", FILTER, OPTIONS]
//   ["newPendingTransactions", BOOLEAN]     ["newPendingTransactions", BOOLEAN, OPTIONS]
//   ["syncing"]                             ["syncing", OPTIONS]
//   ["transactionReceipts", RECEIPTS]       ["transactionReceipts", RECEIPTS, OPTIONS]
//
//   OPTIONS = {"cursor": true | "<cursor>", "slow": "close" | "latest"}
//
// Pending transactions have no cursor: true asks for notices only.

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

// As clients write it.
std::string_view name_of(SubscriptionType type);
// Its notifications have a position in the chain, from which they can be told again.
bool is_resumable(SubscriptionType type);

struct RpcError {
  int code = 0;
  std::string message;
};

struct SubscriptionRequest {
  SubscriptionType type = SubscriptionType::new_heads;
  // Type, parameters and whether there are cursors, in canonical form: what is the same for two requests is
  // the same stream of texts.
  std::string topic;
  LogFilter filter;  // of logs
  ReceiptFilter receipts;
  bool has_cursors = false;
  // Of pending transactions, which have no cursors: where the stream would have a hole, it ends with a notice
  // instead of with its connection.
  bool ends_with_notice = false;
  std::optional<Position> resume_from;
  // Of heads: who reads too slowly is sent the latest one and a notice, instead of being closed.
  bool latest_if_slow = false;
};

// `params_json` is the request's `params`, raw; empty if it has none. `types`: those that are known.
std::expected<SubscriptionRequest, RpcError> parse_subscription(std::string_view params_json,
                                                                SubscriptionTypes types);

// The topics of what has no parameters.
inline constexpr std::string_view kNewHeadsTopic = "newHeads";
inline constexpr std::string_view kNewHeadsCursorTopic = "newHeads#cursor";
inline constexpr std::string_view kPendingHashesTopic = "newPendingTransactions";
inline constexpr std::string_view kPendingBodiesTopic = "newPendingTransactions:full";
// With ends_with_notice.
inline constexpr std::string_view kPendingHashesNoticeTopic = "newPendingTransactions#cursor";
inline constexpr std::string_view kPendingBodiesNoticeTopic = "newPendingTransactions:full#cursor";
inline constexpr std::string_view kSyncingTopic = "syncing";

}  // namespace fanfare::eth
