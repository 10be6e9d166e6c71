#pragma once
// Where in the chain a subscriber stands, and the text of it that clients keep (docs/subscriptions.md,
// "Resuming").
//
//    0      version, 1
//    1  8   block number, big-endian
//    9  4   how many of its logs were told, by their order in the block; 0xffffffff: all there is of it
//   13 32   block hash
//   45      how many ancestors, 0 to 12
//   46  8 each   the first bytes of the hash of block number - 1, - 2, ..
//      4    checksum of all before
//
// as base64url without padding (RFC 4648 section 5). The same position is the same text on every instance.
//
// "n logs told" means: the subscriber holds what its filter matches of the block's ancestors, and of the
// first n logs of the block. Telling log i makes it i + 1, taking log i back makes it i.

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

  std::uint64_t number = 0;
  Hash256 hash;
  std::uint32_t logs_told = 0;
  std::vector<HashPrefix> ancestors;  // of number - 1, number - 2, ..

  friend bool operator==(const Position&, const Position&) = default;
};

std::string to_cursor(const Position& position);
// Empty: not a text that to_cursor() makes.
std::optional<Position> parse_cursor(std::string_view text);

// The last blocks of a walk along the chain, from which positions are made.
class Trail {
 public:
  Trail() = default;
  explicit Trail(const Position& from);

  // The walk is at this block now: the child of the last one, or where it went back to, or somewhere else.
  void move_to(const Header& header);
  // The block was taken back.
  void move_to_parent_of(const Header& header);
  void clear() { *this = Trail(); }

  // Empty: nowhere yet.
  std::optional<std::uint64_t> number() const { return number_; }
  const Hash256& hash() const { return hash_; }
  // Of the block the walk is at, which there must be.
  Position position(std::uint32_t logs_told) const;

 private:
  std::optional<std::uint64_t> number_;
  Hash256 hash_;
  std::deque<HashPrefix> ancestors_;
};

}  // namespace fanfare::eth
