#pragma once
// What the connections of one loop share for permessage-deflate: the codecs that keep nothing between
// messages, the scratch memory they work in, and the budget for what connections do keep. One per loop, used
// on that loop's thread only, and outliving the codecs that point at it.
//
// Messages without history go through libdeflate, which for 1 KiB of JSON takes two thirds of the time of
// zlib's fastest level, and need no memory of the connection. Inflating always goes through libdeflate: the
// window that a peer takes over is put in front of the message as a stored block, so that a connection keeps
// only its window (as much as was sent, at most 1 << window bits) and no inflater of 8 KiB. Only the rare
// message with more blocks behind a final one (RFC7692§7.2.3.4) goes through zlib, which can keep its window
// over that.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "ws/codec.h"
#include "ws/deflate_options.h"
#include "ws/opcode.h"

namespace fanfare::ws {

// Memory set aside for contexts, counted in bytes.
class DeflateBudget {
 public:
  explicit DeflateBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // False: there is not that much left; nothing is taken.
  bool reserve(std::size_t bytes) {
    if (bytes > bytes_max_ - bytes_) {
      ++refusals_;
      return false;
    }
    bytes_ += bytes;
    return true;
  }
  void release(std::size_t bytes) { bytes_ -= bytes; }

  std::size_t bytes() const { return bytes_; }
  std::uint64_t refusals() const { return refusals_; }

 private:
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t refusals_ = 0;
};

// Uninitialised bytes that grow by being thrown away: nobody needs what was in them.
class Scratch {
 public:
  // At least `size` bytes; the contents are lost when it grows.
  std::uint8_t* room(std::size_t size);
  std::size_t size() const { return size_; }
  // Gives the memory back if there is more than `keep`.
  void trim(std::size_t keep);

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_ = 0;
};

struct InflateLimits {
  std::size_t message_bytes_max = 0;
  std::size_t ratio_max = 0;
  std::size_t ratio_floor_bytes = 0;

  // How far `compressed_bytes` may inflate, and which error names the bound.
  std::size_t bytes_max(std::size_t compressed_bytes) const;
  CodecError error(std::size_t compressed_bytes) const;
};

// How the compressed message ends; both are legal everywhere (RFC7692§7.2.1).
enum class Ending : std::uint8_t {
  // In a final block: what libdeflate makes. Some peers' inflaters stop for good there, so it is for those
  // that
  // start a new one for each message, which is without context takeover.
  final_block,
  // In no final block, as zlib's flush makes it: for everyone.
  sync_flush,
};

class DeflatePool {
 public:
  explicit DeflatePool(const DeflateOptions& options);
  ~DeflatePool();
  DeflatePool(const DeflatePool&) = delete;
  DeflatePool& operator=(const DeflatePool&) = delete;

  const DeflateOptions& options() const { return options_; }
  DeflateBudget& budget() { return budget_; }

  // RFC7692§7.2.1, referring to no earlier message. Empty when the message is below the threshold, does not
  // get smaller, or cannot be compressed for that window (8 bits and more than 256 bytes). The view is good
  // until the next call on this pool.
  std::optional<Bytes> compress(Bytes message, int window_bits, Ending ending);

  // The whole frame of a message sent to many: a server's frame, unmasked, RSV1 set. It is good for every
  // connection whose sending side has at least this window, with or without context takeover, if its own
  // compressor forgets what it had sent. Empty as compress() is.
  std::optional<SharedBytes> compress_shared(Opcode opcode, Bytes message, int window_bits);

  // The same for a whole frame as ws::encode_message() makes it. Made once for each window and remembered for
  // the next connections that ask, as long as the frame is one of the latest. Empty: send the frame itself.
  SharedBytes twin_of(const SharedBytes& frame, int window_bits);

  // RFC7692§7.2.2: the whole payload of one message, in two pieces that are put together, and the window its
  // references may reach into. The view is good until the next call on this pool.
  std::expected<Bytes, CodecError> inflate(Bytes history, Bytes head, Bytes tail,
                                           const InflateLimits& limits);

  // Where a codec with its own context puts what it makes; lost with the next call on this pool.
  std::uint8_t* output_room(std::size_t size) { return output_.room(size); }

  // Scratch memory given back: all of it, when the loop has nothing to do, or what only a large message
  // needed. The codec asks for the second after each message it inflates; for one that is compressed, whose
  // view is still in use, it happens with the next.
  void trim();
  void trim_large();
  std::size_t scratch_bytes() const { return output_.size() + input_.size(); }

 private:
  struct Codecs;
  // A frame that is being sent to many, and what it became for each window: empty if it is sent as it is.
  struct Broadcast {
    SharedBytes frame;
    std::array<std::optional<SharedBytes>, kWindowBitsMax + 1> twins;
  };
  // A publish asks for one frame again and again, readers that lag for one of the last few; large ones are
  // not kept for those.
  static constexpr std::size_t kBroadcastsMax = 8;
  static constexpr std::size_t kBroadcastBytesMax = 64 * 1024;

  Broadcast& broadcast_of(const SharedBytes& frame);
  std::optional<Bytes> compress_final(Bytes message);
  std::optional<Bytes> compress_sync(Bytes message, int window_bits);
  std::expected<Bytes, CodecError> inflate_blockwise(Bytes history, Bytes compressed, std::size_t bytes_max,
                                                     CodecError too_much);

  DeflateOptions options_;
  DeflateBudget budget_;
  std::unique_ptr<Codecs> codecs_;
  std::deque<Broadcast> broadcasts_;  // the latest first
  Scratch input_;
  Scratch output_;
};

}  // namespace fanfare::ws
