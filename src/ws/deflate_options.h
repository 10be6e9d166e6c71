#pragma once
// permessage-deflate, RFC 7692: what we are willing to do (DeflateOptions) and what was agreed with one peer
// (DeflateParameters). Plain data, no third-party header.

#include <cstddef>
#include <limits>

namespace fanfare::ws {

// RFC7692§7.1.2: the base-2 logarithm of an LZ77 window. 8 is legal on the wire, but zlib has no raw deflate
// with 8, so we never agree to compress with it.
inline constexpr int kWindowBitsMin = 8;
inline constexpr int kWindowBitsUsable = 9;
inline constexpr int kWindowBitsMax = 15;

struct DeflateOptions {
  bool enabled = true;
  // zlib's scale, 1 (fastest) to 9. Level 1: for 1 KiB of JSON level 6 saves 2 % (random digits) to 12 %
  // (text) of the bytes and takes twice to three times as long.
  int level = 1;
  // zlib's scale, 1 to 9: the size of the hash table. 5 compresses small messages as 8 does, in an eighth of
  // the memory; below 5 both time and size get worse.
  int memory_level = 5;
  // A shorter message is sent as it is: the header and the block overhead eat the gain.
  std::size_t threshold_bytes = 64;
  // A longer message, too: compressing it would hold up the thread for too long.
  std::size_t ceiling_bytes = std::numeric_limits<std::size_t>::max();
  // Ask for, or as a server impose, that a direction forgets its window after every message.
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  // The largest window of each direction, 9 to 15. 12 costs a connection that sends 38 KiB and one that
  // receives 4 KiB, where 15 takes 150 KiB and 32 KiB, and 1 KiB messages come out within 1 % of the same
  // size.
  int server_max_window_bits = 12;
  int client_max_window_bits = 12;
  // A message may inflate to ratio_max times its compressed size once it is past ratio_floor_bytes. The floor
  // is high because the format itself ends at 1032:1, and a large message of one repeated byte is honest:
  // below the floor the message size limit alone decides.
  std::size_t ratio_max = 1000;
  std::size_t ratio_floor_bytes = std::size_t{16} << 20;
  // What the contexts of all connections of one loop may take together.
  std::size_t context_bytes_max = std::size_t{256} << 20;

  bool compresses(std::size_t message_bytes) const {
    return message_bytes >= threshold_bytes && message_bytes <= ceiling_bytes;
  }

  bool operator==(const DeflateOptions&) const = default;
};

// What the handshake agreed on. "server" and "client" are the sending sides, as in the RFC.
struct DeflateParameters {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  int server_max_window_bits = kWindowBitsMax;
  int client_max_window_bits = kWindowBitsMax;

  bool operator==(const DeflateParameters&) const = default;
};

}  // namespace fanfare::ws
