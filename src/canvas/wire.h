#pragma once
// The numbers and texts of the binary protocol: little-endian, varint is LEB128 without a sign. One varint may have
// unused zero bits at its end, but not more bytes than 5, or 10 where 64 bits are said.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace fanfare::canvas {

class WireWriter {
 public:
  explicit WireWriter(std::vector<std::uint8_t>& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value);
  void u64(std::uint64_t value);
  void varint(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) out_.push_back(static_cast<std::uint8_t>(value | 0x80U));
    out_.push_back(static_cast<std::uint8_t>(value));
  }
  // Red, green, blue of 0xRRGGBB.
  void rgb(std::uint32_t value);
  // 1 byte, or 3 as rgb().
  void colour(std::uint32_t value, std::size_t bytes_per_colour);
  void text(std::string_view value);
  void bytes(Bytes value) { out_.insert(out_.end(), value.begin(), value.end()); }

 private:
  std::vector<std::uint8_t>& out_;
};

// Each function steps over what it returns. Empty: the bytes end too early or a varint is too large; use the reader no
// more.
class WireReader {
 public:
  // Borrows the bytes.
  explicit WireReader(Bytes bytes) : rest_(bytes) {}

  std::size_t left() const { return rest_.size(); }
  bool at_end() const { return rest_.empty(); }
  std::optional<std::uint8_t> u8();
  std::optional<std::uint16_t> u16();
  std::optional<std::uint64_t> u64();
  std::optional<std::uint32_t> varint32();
  std::optional<std::uint64_t> varint64();
  std::optional<std::uint32_t> rgb();
  std::optional<std::uint32_t> colour(std::size_t bytes_per_colour);
  // A view of the message.
  std::optional<std::string_view> text();

 private:
  std::optional<std::uint64_t> varint(unsigned bits);
  Bytes rest_;
};

}  // namespace fanfare::canvas
