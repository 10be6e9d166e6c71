#pragma once
// What a connection keeps while a frame or a message is only partly there. Between messages there is none:
// an idle connection holds a null pointer.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "ws/frame_header.h"
#include "ws/utf8.h"

namespace fanfare::ws {

struct Incoming {
  std::vector<std::uint8_t> message;  // of the current message, inflated, what has come
  MutableBytes due_piece;             // handed out next, where messages are handed out in pieces
  FrameHeader frame;                  // the current one; its key moves on with its payload
  std::uint64_t payload_left = 0;     // of that frame
  std::uint64_t wire_bytes = 0;       // of the current message, as sent, finished frames and the current one
  std::uint32_t fragments = 0;
  Opcode opcode = Opcode::text;  // of the current message
  bool compressed = false;
  bool in_frame = false;
  bool in_message = false;
  bool handed_out = false;  // a piece of the current message was
  Utf8Validator utf8;
  std::uint8_t header_size = 0;
  std::uint8_t control_size = 0;
  std::array<std::uint8_t, kHeaderBytesMax> header{};  // its first header_size bytes, until it is whole
  std::array<std::uint8_t, kControlPayloadBytesMax> control{};

  // Nothing here is needed any more, once the views of the last event are not.
  bool idle() const { return !in_frame && !in_message && header_size == 0; }

  // Grows by doubling as bytes arrive, never because a header announces many (RFC6455§10.4): at most to
  // `bytes_max`, and to what the message can still become when its last frame is known.
  void append(Bytes piece, std::size_t bytes_max);
};

// A thread keeps one of them, small enough, for the next connection that needs one: a frame cut by the end of
// a read costs no allocation.
struct IncomingRecycler {
  void operator()(Incoming* incoming) const;
};
using IncomingPtr = std::unique_ptr<Incoming, IncomingRecycler>;
IncomingPtr make_incoming();

inline constexpr std::size_t kRecycledMessageBytesMax = 64 * 1024;

}  // namespace fanfare::ws
