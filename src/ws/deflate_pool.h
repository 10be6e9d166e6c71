#pragma once
// Resources for permessage-deflate shared by the connections of one loop. These are the codecs that keep
// nothing between messages, their scratch memory, and the budget for memory that connections keep. One pool
// per loop, used only on that loop's thread; it must outlive the codecs that refer to it.
//
// Messages without history are compressed by libdeflate. It takes two thirds of the time of zlib's fastest
// level for 1 KiB of JSON, and needs no memory per connection. Inflating uses libdeflate as well: the window
// that a peer takes over is prepended to the message as a stored block. So a connection keeps only its window
// (at most 1 << window bits, and no more than was sent) and no inflater of 8 KiB. The rare message with more
// blocks after a final one (RFC7692§7.2.3.4) is inflated by zlib, which can keep its window.

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

// Memory reserved for contexts, counted in bytes.
class DeflateBudget {
 public:
  explicit DeflateBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // False: not enough is left; nothing is reserved.
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

// Uninitialised memory. Growing discards the contents, which are never needed again.
class Scratch {
 public:
  // Returns at least `size` bytes; the contents are lost when it grows.
  std::uint8_t* room(std::size_t size);
  std::size_t size() const { return size_; }
  // Frees the memory if it is larger than `keep`.
  void trim(std::size_t keep);

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_ = 0;
};

struct InflateLimits {
  std::size_t message_bytes_max = 0;
  std::size_t ratio_max = 0;
  std::size_t ratio_floor_bytes = 0;

  // The limit to which `compressed_bytes` may inflate, and the error for exceeding it.
  std::size_t bytes_max(std::size_t compressed_bytes) const;
  CodecError error(std::size_t compressed_bytes) const;
};

// How the compressed message ends; every inflater must accept both (RFC7692§7.2.1).
enum class Ending : std::uint8_t {
  // With a final block, as libdeflate produces it. Some peers' inflaters stop permanently there. So this is
  // only for peers that start a new inflater for each message: without context takeover.
  final_block,
  // Without a final block, as zlib's flush produces it: works for every peer.
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

  // RFC7692§7.2.1, without references to earlier messages. Empty if the message is below the threshold, does
  // not get smaller, or cannot be compressed for that window (8 bits and more than 256 bytes). The view is
  // valid until the next call on this pool.
  std::optional<Bytes> compress(Bytes message, int window_bits, Ending ending);

  // Returns the complete frame of a message sent to many connections: a server frame, unmasked, with RSV1
  // set. It suits every connection with at least this send window, with or without context takeover, if the
  // connection's own compressor then discards its history. Empty in the same cases as compress().
  std::optional<SharedBytes> compress_shared(Opcode opcode, Bytes message, int window_bits);

  // As compress_shared(), for a complete frame from ws::encode_message(). The result is created once per
  // window and cached while the frame is among the latest. Returns an empty handle if the frame itself should
  // be sent.
  SharedBytes twin_of(const SharedBytes& frame, int window_bits);

  // RFC7692§7.2.2: inflates the complete payload of one message, passed in two pieces. `history` is the
  // window that its references may reach into. The view is valid until the next call on this pool.
  std::expected<Bytes, CodecError> inflate(Bytes history, Bytes head, Bytes tail,
                                           const InflateLimits& limits);

  // Output buffer for a codec with its own context; invalid after the next call on this pool.
  std::uint8_t* output_room(std::size_t size) { return output_.room(size); }

  // Free scratch memory: trim() all of it, when the loop is idle; trim_large() only what a large message
  // needed. The codec calls trim_large() after each message it inflates. For a compressed message, whose view
  // is still in use, this happens with the next message.
  void trim();
  void trim_large();
  std::size_t scratch_bytes() const { return output_.size() + input_.size(); }

 private:
  struct Codecs;
  // A frame being sent to many connections, and its compressed form for each window; empty if it is sent as
  // it is.
  struct Broadcast {
    SharedBytes frame;
    std::array<std::optional<SharedBytes>, kWindowBitsMax + 1> twins;
  };
  // A publish requests the same frame repeatedly, and slow readers request one of the latest few. Large
  // frames are not kept for slow readers.
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
