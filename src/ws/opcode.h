#pragma once
// RFC6455§5.2: the four opcode bits of a frame. Values not listed here are reserved; parse_header() rejects
// them.

#include <cstdint>

namespace fanfare::ws {

enum class Opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
};

// Our end of the connection. It decides who masks (RFC6455§5.1) and who closes TCP (RFC6455§7.1.1).
enum class Role : std::uint8_t { server, client };

// RFC6455§5.5: control frames have the top opcode bit set.
constexpr bool is_control(Opcode opcode) {
  return (static_cast<std::uint8_t>(opcode) & 0x8U) != 0;
}

constexpr bool is_reserved_opcode(std::uint8_t bits) {
  return (bits & 0x7U) > 2;
}

}  // namespace fanfare::ws
