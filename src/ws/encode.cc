#include "ws/encode.h"

#include <cstring>

#include "base/check.h"
#include "ws/frame_header.h"

namespace fanfare::ws {
namespace {

SharedBytes encode_shared(Opcode opcode, Bytes payload, bool compressed) {
  return SharedBytes::filled(
      header_size(payload.size(), Role::server) + payload.size(), [&](MutableBytes room) {
        std::uint8_t* const at =
            write_header(room.data(), Role::server, opcode, true, compressed, payload.size());
        if (!payload.empty()) std::memcpy(at, payload.data(), payload.size());
      });
}

}  // namespace

void write_frame(Output& output, Role sender, Random* random, const OutgoingFrame& frame) {
  const Bytes payload = frame.payload;
  std::uint8_t* at = output.extend(header_size(payload.size(), sender) + payload.size());
  at = write_header(at, sender, frame.opcode, frame.fin, frame.compressed, payload.size());
  MaskKey key = 0;
  if (sender == Role::client) {
    FANFARE_CHECK(random != nullptr);
    // RFC6455§5.3: the key is unpredictable, and no two frames share one.
    key = random->next_u32();
    std::memcpy(at, &key, sizeof(key));
    at += sizeof(key);
  }
  if (payload.empty()) return;
  std::memcpy(at, payload.data(), payload.size());
  if (sender == Role::client) unmask(MutableBytes(at, payload.size()), key);
}

SharedBytes encode_message(Opcode opcode, Bytes payload) {
  return encode_shared(opcode, payload, false);
}

SharedBytes message_frame(Opcode opcode, std::size_t payload_size, MutableBytes& payload) {
  return SharedBytes::filled(header_size(payload_size, Role::server) + payload_size, [&](MutableBytes room) {
    payload = {write_header(room.data(), Role::server, opcode, true, false, payload_size), payload_size};
  });
}

SharedBytes encode_compressed_message(Opcode opcode, Bytes payload) {
  return encode_shared(opcode, payload, true);
}

}  // namespace fanfare::ws
