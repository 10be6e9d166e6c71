#pragma once
// Frames on their way out: into an output that belongs to one connection, or into bytes that many share.

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

// A whole unmasked message frame, for fan-out: encoded once, put as it is into the outbox of every server
// connection for which can_send_message() holds.
SharedBytes encode_message(Opcode opcode, Bytes payload);
// Its compressed twin, for connections whose codecs keep no context: `payload` is what compress() made.
SharedBytes encode_compressed_message(Opcode opcode, Bytes payload);

}  // namespace fanfare::ws
