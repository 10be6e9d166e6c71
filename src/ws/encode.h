#pragma once
// Encodes outgoing frames, into the output of one connection or into bytes shared by many.

#include <cstring>

#include "base/bytes.h"
#include "base/random.h"
#include "base/shared_bytes.h"
#include "ws/opcode.h"

namespace fanfare::ws {

struct OutgoingFrame {
  Opcode opcode = Opcode::text;
  bool fin = true;
  bool compressed = false;  // the payload is the output of MessageCodec::compress
  Bytes payload;            // read before write_frame() returns
};

// Writes header and payload with one extend(). `random` gives a client its masking keys, a fresh one for
// every frame (RFC6455§5.3); a server needs none.
void write_frame(Output& output, Role sender, Random* random, const OutgoingFrame& frame);

// As write_frame(), for the most common case: a server's complete uncompressed message of less than 64 KiB.
// `room` has plain_frame_size() bytes.
constexpr std::size_t plain_frame_size(Bytes payload) {
  return (payload.size() < 126 ? 2 : 4) + payload.size();
}
inline void write_plain_frame(std::uint8_t* room, Opcode opcode, Bytes payload) {
  const std::size_t size = payload.size();
  room[0] = static_cast<std::uint8_t>(0x80U | static_cast<unsigned>(opcode));
  if (size < 126) {
    room[1] = static_cast<std::uint8_t>(size);
    return copy_bytes(room + 2, payload.data(), size);
  }
  room[1] = 126;
  room[2] = static_cast<std::uint8_t>(size >> 8U);
  room[3] = static_cast<std::uint8_t>(size);
  copy_bytes(room + 4, payload.data(), size);
}

// Encodes a complete unmasked message frame for fan-out: encoded once, and put unchanged into the outbox of
// every server connection for which can_send_message() is true.
SharedBytes encode_message(Opcode opcode, Bytes payload);
// As encode_message(), for a payload that is made piece by piece: `payload` becomes its place in the frame, which has to be
// filled before the frame is used.
SharedBytes message_frame(Opcode opcode, std::size_t payload_size, MutableBytes& payload);
// Its compressed version, for connections whose codecs keep no context. `payload` is the output of
// compress().
SharedBytes encode_compressed_message(Opcode opcode, Bytes payload);

}  // namespace fanfare::ws
