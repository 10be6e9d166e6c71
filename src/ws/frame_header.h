#pragma once
// RFC6455§5.2: the header before the payload of a frame.
//
//    byte 0            byte 1            then, by length          then, when masked
//   +---+---+--------+ +------+--------+ +----------------------+ +---------------+
//   |FIN|RSV| opcode | | MASK | length | | 126: 16 bits         | | 4 bytes of    |
//   | 1 | 3 |   4    | |  1   |   7    | | 127: 64 bits, top 0  | | masking key   |
//   +---+---+--------+ +------+--------+ +----------------------+ +---------------+
//
// Numbers are big-endian. Two to fourteen bytes in all.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "base/bytes.h"
#include "ws/mask.h"
#include "ws/opcode.h"
#include "ws/rules.h"

namespace fanfare::ws {

inline constexpr std::size_t kHeaderBytesMax = 14;
inline constexpr std::size_t kControlPayloadBytesMax = 125;  // RFC6455§5.5

inline constexpr std::uint8_t kFinBit = 0x80;
inline constexpr std::uint8_t kRsv1Bit = 0x40;
inline constexpr std::uint8_t kRsv2And3Bits = 0x30;
inline constexpr std::uint8_t kMaskBit = 0x80;

struct FrameHeader {
  std::uint64_t payload_size = 0;
  MaskKey mask_key = 0;  // 0, which has no effect, if the frame is not masked
  Opcode opcode = Opcode::continuation;
  bool fin = false;
  bool compressed = false;       // RSV1 (RFC7692§6)
  std::uint8_t header_size = 0;  // offset of the payload
};

// The state that the next header is checked against, in addition to the fixed rules.
struct FrameExpectation {
  Role self = Role::server;
  bool compression = false;                // an extension that uses RSV1 was negotiated
  bool in_message = false;                 // a fragmented message is not finished
  std::uint32_t fragments_left = 0;        // of that message
  std::uint64_t data_bytes_max = 0;        // a data frame's payload; of a fragmented message, the remainder
  std::uint64_t compressed_bytes_max = 0;  // the payload of the first frame of a compressed message
};

// Reads one frame header from the front of `input`. Empty means "feed me more bytes". Every check is made as
// soon as the bytes that decide it are present, and always in the same order. So the same rule is reported
// first, however the input is split.
std::expected<std::optional<FrameHeader>, Rule> parse_header(Bytes input, const FrameExpectation& expect);

constexpr std::size_t header_size(std::uint64_t payload_size, Role sender) {
  const std::size_t key = sender == Role::client ? 4 : 0;
  return key + (payload_size < 126 ? 2 : payload_size < 65'536 ? 4 : 10);
}

// Writes the header except for the masking key, which follows if the sender is a client. `out` has space for
// header_size() bytes; returns the end of the written bytes.
std::uint8_t* write_header(std::uint8_t* out, Role sender, Opcode opcode, bool fin, bool compressed,
                           std::uint64_t payload_size);

}  // namespace fanfare::ws
