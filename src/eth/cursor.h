#pragma once
// A subscriber's position in the chain, and its text form, the cursor that clients keep
// (docs/subscriptions.md, "Resuming").
//
//    0      version, 1
//    1  8   block number, big-endian
//    9  4   how many of its logs were sent, by their order in the block; 0xffffffff: the whole block
//   13 32   block hash
//   45      how many ancestors, 0 to 12
//   46  8 each   the first bytes of the hash of block number - 1, - 2, ..
//      4    checksum of all before
//
// encoded as base64url without padding (RFC 4648 section 5). A position has the same text on every instance.
//
// "n logs told" means: the subscriber holds everything its filter matches in the block's ancestors, and in
// the first n logs of the block. Sending log i makes the count i + 1; retracting log i makes it i.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eth/header.h"
#include "eth/hex.h"

namespace fanfare::eth {

// Enough of a hash to tell siblings apart.
using HashPrefix = std::array<std::uint8_t, 8>;
HashPrefix prefix_of(const Hash256& hash);

struct Position {
  static constexpr std::uint32_t kAll = 0xffffffff;
  static constexpr std::size_t kAncestorsMax = 12;

  // As deep as reorgs are looked for below the position of a reader of whom something is unknown.
  static constexpr std::uint64_t kUnknownBelow = kAncestorsMax;

  std::uint64_t number = 0;
  Hash256 hash;
  std::uint32_t logs_told = 0;
  std::vector<HashPrefix> ancestors;  // of number - 1, number - 2, ..

  friend bool operator==(const Position&, const Position&) = default;
};

std::string to_cursor(const Position& position);
// Empty: to_cursor() does not make such a text.
std::optional<Position> parse_cursor(std::string_view text);

// The last blocks of a walk along the chain; positions are made from it.
class Trail {
 public:
  Trail() = default;
  explicit Trail(const Position& from);

  // The walk has moved to this block: the child of the last one, a block it went back to, or an unrelated
  // one.
  void move_to(const Header& header);
  // The block was removed by a reorg.
  void move_to_parent_of(const Header& header);
  void clear() { *this = Trail(); }
  // Whether the block is the child of the current one, or there is no current one.
  bool is_followed_by(const Header& header) const;

  // Empty before the first block.
  std::optional<std::uint64_t> number() const { return number_; }
  const Hash256& hash() const { return hash_; }
  // The position at the current block; there must be one.
  Position position(std::uint32_t logs_told) const;

 private:
  std::optional<std::uint64_t> number_;
  Hash256 hash_;
  std::deque<HashPrefix> ancestors_;
};

}  // namespace fanfare::eth
