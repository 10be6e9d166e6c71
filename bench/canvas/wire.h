#pragma once
// Bytes of a WebSocket client and of fanfare.canvas.v1 (docs/canvas.md), written apart from the server's own code, so that a mistake there is
// not made twice.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace fanfare::bench::canvas {

using Bytes = std::string_view;

[[noreturn]] inline void give_up(std::string_view what) {
  std::fprintf(stderr, "canvas_load: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

// Reads numbers of a message. A read past the end returns 0 and makes `failed()` true.
class Input {
 public:
  explicit Input(Bytes bytes) : bytes_(bytes) {}

  std::uint64_t little(std::size_t size) {
    if (bytes_.size() < size) {
      failed_ = true;
      bytes_ = {};
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[i])) << (8 * i);
    bytes_.remove_prefix(size);
    return value;
  }
  std::uint8_t u8() { return static_cast<std::uint8_t>(little(1)); }
  std::uint32_t rgb() {
    const std::uint32_t red = u8();
    const std::uint32_t green = u8();
    return red << 16 | green << 8 | u8();
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t byte = u8();
      value |= static_cast<std::uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
    failed_ = true;
    return 0;
  }
  Bytes text() { return take(varint()); }
  Bytes take(std::uint64_t size) {
    if (size > bytes_.size()) {
      failed_ = true;
      return {};
    }
    const Bytes part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return part;
  }
  Bytes rest() { return take(bytes_.size()); }
  bool at_end() const { return bytes_.empty(); }
  bool failed() const { return failed_; }

 private:
  Bytes bytes_;
  bool failed_ = false;
};

class Output {
 public:
  Output& little(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  Output& u8(unsigned value) { return little(value, 1); }
  Output& u16(unsigned value) { return little(value, 2); }
  Output& varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) u8(static_cast<unsigned>(value & 127) | 128U);
    return u8(static_cast<unsigned>(value));
  }
  Output& rgb(std::uint32_t value) { return u8(value >> 16 & 255).u8(value >> 8 & 255).u8(value & 255); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// A frame of a client. RFC6455§5.3: masked; here with zeros, which leaves the bytes as they are.
inline std::string client_frame(unsigned opcode, Bytes payload) {
  Output frame;
  frame.u8(0x80 | opcode);
  if (payload.size() < 126) {
    frame.u8(0x80 | static_cast<unsigned>(payload.size()));
  } else if (payload.size() < 65536) {
    frame.u8(0x80 | 126)
        .u8(static_cast<unsigned>(payload.size() >> 8))
        .u8(static_cast<unsigned>(payload.size() & 255));
  } else {
    frame.u8(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8)
      frame.u8(static_cast<unsigned>(payload.size() >> shift & 255));
  }
  return frame.little(0, 4).bytes() + std::string(payload);
}

struct ServerFrame {
  unsigned opcode = 0;
  bool final = true;
  Bytes payload;
  std::size_t size = 0;  // of the whole frame
};

// Empty: more bytes are needed.
inline std::optional<ServerFrame> server_frame(Bytes bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  std::uint64_t length = at(1) & 127;
  std::size_t head = 2;
  if (length >= 126) {
    const std::size_t wide = length == 126 ? 2 : 8;
    head += wide;
    if (bytes.size() < head) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < wide; ++i) length = length << 8 | at(2 + i);
  }
  if (bytes.size() - head < length) return std::nullopt;
  return ServerFrame{.opcode = at(0) & 15U,
                     .final = at(0) >= 128,
                     .payload = bytes.substr(head, length),
                     .size = head + length};
}

}  // namespace fanfare::bench::canvas
