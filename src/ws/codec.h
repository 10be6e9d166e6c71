#pragma once
// The interface between the connection and a compression extension (RFC7692§6). The connection owns one
// codec, or none if no extension was negotiated. It calls the codec on its own thread only.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "ws/opcode.h"

namespace fanfare::ws {

enum class CodecError : std::uint8_t {
  corrupt,          // not a DEFLATE stream
  message_too_big,  // inflates past message_bytes_max
  ratio_exceeded,   // inflates beyond the codec's limit on the compression ratio
  out_of_contexts,  // the memory limit for contexts is reached
};

class MessageCodec {
 public:
  virtual ~MessageCodec() = default;

  // Takes one piece of a compressed message's payload, already unmasked. Inflated bytes are appended to
  // `message`, which never exceeds `message_bytes_max`. `last`: this piece ends the message. After an error
  // the codec must not be used again.
  virtual std::expected<void, CodecError> decompress(Bytes piece, bool last, std::size_t message_bytes_max,
                                                     std::vector<std::uint8_t>& message) = 0;

  // As decompress(), for messages that are handed out in pieces: what this piece inflates to is appended at
  // once, and `message` need not hold what came before. The limit holds for all pieces of the message
  // together.
  virtual std::expected<void, CodecError> decompress_piece(Bytes piece, bool last,
                                                           std::size_t message_bytes_max,
                                                           std::vector<std::uint8_t>& message) {
    return decompress(piece, last, message_bytes_max, message);
  }

  // The compressed payload (RFC7692§7.2.1, without the trailing 00 00 ff ff), or empty when sending the
  // message as it is is better. The view is good until the next call on the same thread.
  virtual std::optional<Bytes> compress(Opcode opcode, Bytes message) = 0;

  // Returns what to send in place of `frame`, a complete uncompressed server frame shared by many
  // connections. That is its compressed version, which is shared too, or the frame itself. The caller must
  // send the result.
  virtual SharedBytes shared_form(const SharedBytes& frame) { return frame; }
};

}  // namespace fanfare::ws
