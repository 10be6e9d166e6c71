#pragma once
// State that a connection keeps for an incomplete frame or message. An idle connection has none, only a null
// pointer.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/growing_bytes.h"
#include "ws/frame_header.h"
#include "ws/utf8.h"

namespace fanfare::ws {

struct Incoming {
  GrowingBytes message;                // of the current message, if it is not compressed: what has come
  std::vector<std::uint8_t> inflated;  // of the current message, if it is compressed
  MutableBytes due_piece;              // handed out next, where messages are handed out in pieces
  FrameHeader frame;                   // the current one; its key moves on with its payload
  std::uint64_t payload_left = 0;      // of that frame
  std::uint64_t wire_bytes = 0;        // of the current message as sent: finished frames and the current one
  std::uint32_t fragments = 0;
  Opcode opcode = Opcode::text;  // of the current message
  bool compressed = false;
  bool in_frame = false;
  bool in_message = false;
  bool handed_out = false;  // a piece of the current message was
  Utf8Validator utf8;
  std::uint8_t header_size = 0;
  std::uint8_t control_size = 0;
  std::array<std::uint8_t, kHeaderBytesMax> header{};  // its first header_size bytes, until it is complete
  std::array<std::uint8_t, kControlPayloadBytesMax> control{};

  // Nothing here is needed any longer, once the views of the last event are no longer used.
  bool idle() const { return !in_frame && !in_message && header_size == 0; }

  // Of a whole message.
  MutableBytes payload() { return compressed ? MutableBytes(inflated) : message.bytes(); }
  std::size_t buffered_bytes() const { return message.capacity() + inflated.capacity(); }

  // Grows by doubling as bytes arrive, never because a header announces many (RFC6455§10.4). It grows at most
  // to `bytes_max`, and to the message's final size once its last frame is known.
  void append(Bytes piece, std::size_t bytes_max);
};

// Each thread keeps one small instance for the next connection that needs one. So a frame cut by the end of a
// read costs no allocation.
struct IncomingRecycler {
  void operator()(Incoming* incoming) const;
};
using IncomingPtr = std::unique_ptr<Incoming, IncomingRecycler>;
IncomingPtr make_incoming();

inline constexpr std::size_t kRecycledMessageBytesMax = 64 * 1024;

// Each thread also keeps pages of large messages for the next ones, up to this many bytes. Without that the system clears 256 pages
// for each message of a megabyte, which takes as long as receiving it.
inline constexpr std::size_t kKeptPagesBytesMax = std::size_t{64} << 20;
// Call it regularly: pages that no message of this thread has used since the last call are returned to the system. Returns the number
// of bytes that are still kept.
std::size_t release_unused_pages();

}  // namespace fanfare::ws
