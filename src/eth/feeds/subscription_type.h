#pragma once
// The types of eth_subscribe. Each has a row in feeds/feed_table.cc and a file of its own in this folder.

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fanfare::eth {

enum class SubscriptionType : std::uint8_t {
  new_heads,
  logs,
  new_pending_transactions,
  syncing,
  transaction_receipts,
  new_finalized_heads,
  count_,
};
inline constexpr std::size_t kSubscriptionTypes = static_cast<std::size_t>(SubscriptionType::count_);

// A set of types: bits in the enumerators' order.
using SubscriptionTypes = std::bitset<kSubscriptionTypes>;
inline constexpr SubscriptionTypes kNewHeadsOnly{1U};
inline constexpr SubscriptionTypes kAllSubscriptionTypes{(1ULL << kSubscriptionTypes) - 1};

// The name that clients use.
std::string_view name_of(SubscriptionType type);

}  // namespace fanfare::eth
