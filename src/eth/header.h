#pragma once
// A block's header, from the answer to eth_getBlockByNumber / eth_getBlockByHash to the object that a
// newHeads notification carries.
//
// The object has geth's header members, always in the same order, each value byte for byte as the node sent
// it, `null` included; members the node did not send are left out. Members that nobody here knows (a new
// fork's, a rollup's) follow them (unknown_members.h). transactions, uncles, withdrawals, size and
// totalDifficulty never do: they are not of the header, and clients pick their formatter by the members.
// Two nodes that agree on a block yield the same bytes.

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "eth/hex.h"

namespace fanfare::eth {

using Bloom = std::array<std::uint8_t, 256>;

struct Header {
  std::uint64_t number = 0;
  Hash256 hash;
  Hash256 parent_hash;
  std::uint64_t timestamp_s = 0;  // since 1970, as the block says
  std::string json;               // the notification's `result`

  // The block's logs bloom, read from `json` each time: it is looked at once a block, and 256 bytes a block
  // of the window would be kept for it. Empty when the node sent none.
  std::optional<Bloom> logs_bloom() const;
  // The bloom is there and not empty.
  bool says_there_are_logs() const;
};

// `block_json` is the value of `result`, not null. The error is one line for the log, naming the member.
std::expected<Header, std::string> parse_header(std::string_view block_json);

}  // namespace fanfare::eth
