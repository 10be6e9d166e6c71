#pragma once
// Frames on their way out: into an output that belongs to one connection, or into bytes that many share.

#include <cstring>

#include "base/bytes.h"
#include "base/random.h"
#include "base/shared_bytes.h"
#include "ws/opcode.h"

namespace fanfare::ws {

struct OutgoingFrame {
  Opcode opcode = Opcode::text;
  bool fin = true;
  bool compressed = false;  // the payload is what MessageCodec::compress made
  Bytes payload;            // read before write_frame() returns
};

// Header and payload in one extend(). `random` gives a client its masking keys, a fresh one for every frame
// (RFC6455§5.3); a server needs none.
void write_frame(Output& output, Role sender, Random* random, const OutgoingFrame& frame);

// The same for what most frames are, a server's whole uncompressed message of less than 64 KiB: `room` has
// plain_frame_size().
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

// A whole unmasked message frame, for fan-out: encoded once, put as it is into the outbox of every server
// connection for which can_send_message() holds.
SharedBytes encode_message(Opcode opcode, Bytes payload);
// Its compressed twin, for connections whose codecs keep no context: `payload` is what compress() made.
SharedBytes encode_compressed_message(Opcode opcode, Bytes payload);

}  // namespace fanfare::ws
