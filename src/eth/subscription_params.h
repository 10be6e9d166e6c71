#pragma once
// The parameters of eth_subscribe: the type, its own parameter if it has one, and the options that only Fanfare
// has. The types and what each accepts are in feeds/feed_table.cc.
//
//   ["newHeads"]                            ["newHeads", OPTIONS]
//   ["logs", FILTER]                        ["logs", FILTER, OPTIONS]
//
//   OPTIONS = {"cursor": true | "<cursor>", "slow": "close" | "latest"}

#include <any>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "eth/cursor.h"
#include "eth/feeds/subscription_type.h"

namespace fanfare::eth {

struct RpcError {
  static constexpr int kServerError = -32000;
  static constexpr int kLimitExceeded = -32005;
  static constexpr int kInvalidParams = -32602;

  int code = 0;
  std::string message;
};

struct SubscriptionRequest {
  SubscriptionType type = SubscriptionType::new_heads;
  // Type, parameters and whether there are cursors, in canonical form: requests with equal topics get the
  // same stream of texts.
  std::string topic;
  std::any own;                  // the type's parameter, as its file reads it
  std::size_t alternatives = 0;  // addresses, topics and transactions in it: memory
  bool has_cursors = false;
  // For types without positions: at a gap the stream ends with a notice, and the connection stays open.
  bool ends_with_notice = false;
  bool is_tracked = false;  // it belongs to a session: set by whoever subscribes
  std::optional<Position> resume_from;
  // For heads: a slow reader is sent the latest one and a notice, and its connection is not closed.
  bool latest_if_slow = false;
};

// `params_json` is the raw `params` of the request; empty if it has none. `types`: the supported types.
std::expected<SubscriptionRequest, RpcError> parse_subscription(std::string_view params_json,
                                                                SubscriptionTypes types);

}  // namespace fanfare::eth
