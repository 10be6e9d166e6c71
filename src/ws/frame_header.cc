#include "ws/frame_header.h"

namespace fanfare::ws {
namespace {

// Returns the rule that the first byte alone breaks, if any.
std::optional<Rule> first_byte_rule(std::uint8_t byte, const FrameExpectation& expect) {
  const std::uint8_t opcode_bits = byte & 0x0FU;
  const bool fin = (byte & kFinBit) != 0;
  const bool rsv1 = (byte & kRsv1Bit) != 0;

  // RFC6455§5.2: reserved bits are zero unless an extension says otherwise.
  if ((byte & kRsv2And3Bits) != 0 || (rsv1 && !expect.compression)) return Rule::reserved_bits_set;
  // RFC6455§5.2: reserved opcodes are invalid as well.
  if (is_reserved_opcode(opcode_bits)) return Rule::opcode_reserved;

  const auto opcode = static_cast<Opcode>(opcode_bits);
  if (is_control(opcode)) {
    // RFC7692§6.1: RSV1 has no meaning on control frames.
    if (rsv1) return Rule::compressed_control_frame;
    // RFC6455§5.5: control frames come in one piece.
    if (!fin) return Rule::control_frame_fragmented;
    return std::nullopt;
  }
  if (opcode == Opcode::continuation) {
    // RFC6455§5.4: a continuation needs a message to continue.
    if (!expect.in_message) return Rule::continuation_without_message;
    // RFC7692§6.1: RSV1 is set on the first frame only.
    if (rsv1) return Rule::compressed_continuation;
    // RFC6455§10.4: unlimited fragments would cost unlimited work.
    if (expect.fragments_left == 0) return Rule::too_many_fragments;
    return std::nullopt;
  }
  // RFC6455§5.4: messages do not interleave.
  if (expect.in_message) return Rule::message_interleaved;
  return std::nullopt;
}

struct Length {
  std::uint64_t value = 0;
  bool whole = false;
};

// Parses the extended length of `size` bytes (2 or 8), of which only the first may be present. Missing bytes
// lie between all zeros and all ones, which often decides the result early.
std::expected<Length, Rule> extended_length(Bytes there, std::size_t size, std::uint64_t bytes_max) {
  if (there.size() > size) there = there.first(size);
  // RFC6455§5.2: the top bit of eight is zero.
  if (size == 8 && !there.empty() && (there[0] & 0x80U) != 0)
    return std::unexpected(Rule::length_over_63_bits);
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < size; ++i) {
    least = least << 8U | (i < there.size() ? there[i] : 0x00U);
    most = most << 8U | (i < there.size() ? there[i] : 0xFFU);
  }
  // RFC6455§5.2: only the shortest encoding of the length is valid.
  if (most < (size == 2 ? 126U : 65'536U)) return std::unexpected(Rule::length_not_minimal);
  // RFC6455§10.4: an oversized message is rejected before any of its payload is awaited.
  if (least > bytes_max) return std::unexpected(Rule::message_too_big);
  return Length{.value = least, .whole = there.size() == size};
}

}  // namespace

std::expected<std::optional<FrameHeader>, Rule> parse_header(Bytes input, const FrameExpectation& expect) {
  if (input.empty()) return std::nullopt;
  if (const auto broken = first_byte_rule(input[0], expect)) return std::unexpected(*broken);
  if (input.size() < 2) return std::nullopt;

  FrameHeader header{.opcode = static_cast<Opcode>(input[0] & 0x0FU),
                     .fin = (input[0] & kFinBit) != 0,
                     .compressed = (input[0] & kRsv1Bit) != 0};
  const bool masked = (input[1] & kMaskBit) != 0;
  // RFC6455§5.1: a server closes on an unmasked frame, a client on a masked one.
  if (!masked && expect.self == Role::server) return std::unexpected(Rule::frame_not_masked);
  if (masked && expect.self == Role::client) return std::unexpected(Rule::frame_masked);

  const std::uint8_t short_length = input[1] & 0x7FU;
  std::size_t at = 2;
  if (is_control(header.opcode)) {
    // RFC6455§5.5: a control frame is small, whatever the encoding of its length.
    if (short_length > kControlPayloadBytesMax) return std::unexpected(Rule::control_frame_too_long);
    header.payload_size = short_length;
  } else {
    const std::uint64_t bytes_max = header.compressed ? expect.compressed_bytes_max : expect.data_bytes_max;
    if (short_length < 126) {
      // RFC6455§10.4: the limit may be even smaller than this.
      if (short_length > bytes_max) return std::unexpected(Rule::message_too_big);
      header.payload_size = short_length;
    } else {
      const std::size_t size = short_length == 126 ? 2 : 8;
      const auto length = extended_length(input.subspan(at), size, bytes_max);
      if (!length) return std::unexpected(length.error());
      if (!length->whole) return std::nullopt;
      header.payload_size = length->value;
      at += size;
    }
  }
  if (masked) {
    if (input.size() < at + 4) return std::nullopt;
    header.mask_key = load_mask_key(input.data() + at);
    at += 4;
  }
  header.header_size = static_cast<std::uint8_t>(at);
  return header;
}

std::uint8_t* write_header(std::uint8_t* out, Role sender, Opcode opcode, bool fin, bool compressed,
                           std::uint64_t payload_size) {
  const std::uint8_t mask = sender == Role::client ? kMaskBit : 0;
  *out++ = static_cast<std::uint8_t>((fin ? kFinBit : 0) | (compressed ? kRsv1Bit : 0) |
                                     static_cast<std::uint8_t>(opcode));
  std::size_t size = 0;
  if (payload_size < 126) {
    *out++ = static_cast<std::uint8_t>(mask | payload_size);
  } else if (payload_size < 65'536) {
    *out++ = mask | 126U;
    size = 2;
  } else {
    *out++ = mask | 127U;
    size = 8;
  }
  while (size > 0) *out++ = static_cast<std::uint8_t>(payload_size >> (8 * --size));
  return out;
}

}  // namespace fanfare::ws
