#pragma once
// The fast path for nearly all frames: one that is a complete message, uncompressed, below 64 KiB, and lies
// entirely in the input. It stays in registers. Everything else is left to Connection::next().

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "ws/frame_header.h"
#include "ws/mask.h"
#include "ws/utf8.h"

namespace fanfare::ws {

struct WholeMessage {
  Opcode opcode;
  MutableBytes payload;  // within the input, unmasked
};

// Takes such a message from the front of `input`. Empty: there is none, or it breaks a rule, and the input is
// as before. `self` is the side that receives. A longer message than `bytes_max` is not taken.
template <Role self>
[[gnu::always_inline]] inline std::optional<WholeMessage> take_whole_message(MutableBytes& input,
                                                                             std::size_t bytes_max) {
  constexpr bool kMasked = self == Role::server;
  if (input.size() < 2) return std::nullopt;
  const std::uint8_t first = input[0];
  // Above 127 if the mask bit is wrong.
  std::size_t size = input[1] ^ (kMasked ? kMaskBit : 0U);
  std::size_t at = kMasked ? 6 : 2;
  if (size > 125) {
    if (size != 126 || input.size() < 4) return std::nullopt;
    size = static_cast<std::size_t>(input[2] << 8U | input[3]);
    at += 2;
    if (size < 126) return std::nullopt;
  }
  if ((first != 0x81 && first != 0x82) || size > bytes_max || input.size() < at + size) return std::nullopt;
  const MutableBytes payload = input.subspan(at, size);
  const MaskKey key = kMasked ? load_mask_key(payload.data() - sizeof(MaskKey)) : MaskKey{};
  const bool ascii = kMasked && unmask(payload, key);
  const auto opcode = static_cast<Opcode>(first & 0x0FU);
  // RFC6455§8.1: text is UTF-8.
  if (!ascii && opcode == Opcode::text && !is_valid_utf8(payload)) [[unlikely]] {
    if (kMasked) unmask(payload, key);  // restore the input: next() finds and reports the error
    return std::nullopt;
  }
  input = input.subspan(at + size);
  return WholeMessage{.opcode = opcode, .payload = payload};
}

// Whether the input may be one masked message of at most 125 bytes, and nothing else.
inline bool may_be_one_short_message(Bytes input) {
  constexpr std::size_t kHead = 2 + sizeof(MaskKey);
  const std::size_t size = input.size() - kHead;
  return size <= 125 && (input[1] ^ kMaskBit) == size;
}

}  // namespace fanfare::ws
