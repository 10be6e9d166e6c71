#pragma once
// The filter of a logs subscription, with geth's semantics:
//
//   address         one, or an array of alternatives; absent, null or [] matches any address
//   topics          at most 4 positions; in each, null or [] matches anything, a string is that topic, an
//                   array is any of its strings; a null inside an array makes its position match anything and
//                   ends its reading
//                   a log with fewer topics than the filter has positions does not match; trailing nulls
//                   count as positions
//   fromBlock,      limit which blocks' logs are sent; they never replay; allowed: both absent or `latest`; a
//   toBlock         number or `earliest` to `latest`; a number or `earliest` to a number not below it; every
//                   other range is rejected, also those with `pending`, `safe` and `finalized`
//   blockHash       accepted without fromBlock and toBlock, has no meaning for a subscription
//
// Kept in canonical form: sorted, each alternative once. Filters that mean the same are equal.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eth/hex.h"

namespace fanfare::eth {

inline constexpr std::size_t kTopicPositionsMax = 4;  // the EVM has LOG0 to LOG4

// The fields of a log that filters compare.
struct LogKey {
  Address address;
  std::array<Hash256, kTopicPositionsMax> topics{};
  std::uint8_t topic_count = 0;
  std::uint64_t block_number = 0;
};

struct LogFilter {
  static constexpr std::size_t kAlternativesMax = 1000;  // addresses, and topics of one position

  std::vector<Address> addresses;                                 // empty: any
  std::array<std::vector<Hash256>, kTopicPositionsMax> topics{};  // empty: any
  std::uint8_t topic_positions = 0;                               // the log must have at least as many
  std::optional<std::uint64_t> from_block;
  std::optional<std::uint64_t> to_block;

  friend bool operator==(const LogFilter&, const LogFilter&) = default;

  bool matches(const LogKey& log) const;
  // Equal for all spellings of the same filter: JSON, lower case, in a fixed order.
  std::string canonical() const;
};

// `filter_json` is the raw second parameter; empty or null gives the filter that matches all. The error is
// the message sent with -32602.
std::expected<LogFilter, std::string> parse_log_filter(std::string_view filter_json);

}  // namespace fanfare::eth
