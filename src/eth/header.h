#pragma once
// A block's header: parsed from the answer to eth_getBlockByNumber / eth_getBlockByHash, and serialised as
// the object of a newHeads notification.
//
// The object has geth's header members, always in the same order, each value byte for byte as the node sent
// it, including `null`. Members that the node did not send are left out. Unknown members (a new fork's, a
// rollup's) follow the known ones (unknown_members.h). transactions, uncles, withdrawals, size and
// totalDifficulty never appear: they are not part of the header, and clients choose their formatter by the
// members. Two nodes that agree on a block yield the same bytes.

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
  std::uint64_t timestamp_s = 0;  // seconds since 1970, as in the block
  std::string json;               // the notification's `result`

  // The block's logs bloom, parsed from `json` at each call. It is used once per block, and storing it would
  // take 256 bytes for each block of the window. Empty if the node sent none.
  std::optional<Bloom> logs_bloom() const;
  // The bloom exists and is not zero.
  bool says_there_are_logs() const;
};

// `block_json` is the value of `result`, not null. The error is one line for the log that names the member.
std::expected<Header, std::string> parse_header(std::string_view block_json);

}  // namespace fanfare::eth
