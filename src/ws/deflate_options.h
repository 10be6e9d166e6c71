#pragma once
// permessage-deflate, RFC 7692: our settings (DeflateOptions) and the result negotiated with one peer
// (DeflateParameters). Plain data, no third-party header.

#include <cstddef>
#include <limits>

namespace fanfare::ws {

// RFC7692§7.1.2: the base-2 logarithm of an LZ77 window. 8 is legal on the wire, but zlib's raw deflate does
// not support it, so we never agree to compress with it.
inline constexpr int kWindowBitsMin = 8;
inline constexpr int kWindowBitsUsable = 9;
inline constexpr int kWindowBitsMax = 15;

struct DeflateOptions {
  bool enabled = true;
  // zlib's scale, 1 (fastest) to 9. The default is 1: for 1 KiB of JSON, level 6 saves 2 % (random digits) to
  // 12 % (text) of the bytes and takes two to three times as long. Without context takeover, messages of at most 2 KiB are compressed with
  // at least level 6: libdeflate takes a sixth longer for it than for level 1.
  int level = 1;
  // zlib's scale, 1 to 9: the size of the hash table. 5 compresses small messages as well as 8 does, in an
  // eighth of the memory; below 5 both time and size get worse.
  int memory_level = 5;
  // Shorter messages are sent uncompressed: the header and block overhead would outweigh the gain.
  std::size_t threshold_bytes = 64;
  // Longer messages are sent uncompressed too: compressing them would block the thread for too long.
  std::size_t ceiling_bytes = std::numeric_limits<std::size_t>::max();
  // Request, or as a server impose, that a direction resets its window after every message.
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  // The largest window of each direction, 9 to 15. With 12, a sending connection uses 38 KiB and a receiving
  // one 4 KiB, compared with 150 KiB and 32 KiB for 15. The size of 1 KiB messages differs by less than 1 %.
  int server_max_window_bits = 12;
  int client_max_window_bits = 12;
  // A message larger than ratio_floor_bytes may inflate to at most ratio_max times its compressed size. The
  // floor is high because the format itself cannot exceed 1032:1, and a large message of one repeated byte is
  // legitimate. Below the floor only the message size limit applies.
  std::size_t ratio_max = 1000;
  std::size_t ratio_floor_bytes = std::size_t{16} << 20;
  // Memory limit for the contexts of all connections of one loop together.
  std::size_t context_bytes_max = std::size_t{256} << 20;

  bool compresses(std::size_t message_bytes) const {
    return message_bytes >= threshold_bytes && message_bytes <= ceiling_bytes;
  }

  bool operator==(const DeflateOptions&) const = default;
};

// The result of the handshake. "server" and "client" are the sending sides, as in the RFC.
struct DeflateParameters {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  int server_max_window_bits = kWindowBitsMax;
  int client_max_window_bits = kWindowBitsMax;

  bool operator==(const DeflateParameters&) const = default;
};

}  // namespace fanfare::ws
