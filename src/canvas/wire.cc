#include "canvas/wire.h"

namespace fanfare::canvas {

void WireWriter::u16(std::uint16_t value) {
  out_.push_back(static_cast<std::uint8_t>(value));
  out_.push_back(static_cast<std::uint8_t>(value >> 8U));
}

void WireWriter::u64(std::uint64_t value) {
  for (unsigned shift = 0; shift < 64; shift += 8) out_.push_back(static_cast<std::uint8_t>(value >> shift));
}

void WireWriter::rgb(std::uint32_t value) {
  out_.push_back(static_cast<std::uint8_t>(value >> 16U));
  out_.push_back(static_cast<std::uint8_t>(value >> 8U));
  out_.push_back(static_cast<std::uint8_t>(value));
}

void WireWriter::colour(std::uint32_t value, std::size_t bytes_per_colour) {
  if (bytes_per_colour == 1) return u8(static_cast<std::uint8_t>(value));
  rgb(value);
}

void WireWriter::text(std::string_view value) {
  varint(value.size());
  bytes(as_bytes(value));
}

std::optional<std::uint8_t> WireReader::u8() {
  if (rest_.empty()) return std::nullopt;
  const std::uint8_t value = rest_[0];
  rest_ = rest_.subspan(1);
  return value;
}

std::optional<std::uint16_t> WireReader::u16() {
  if (rest_.size() < 2) return std::nullopt;
  const auto value = static_cast<std::uint16_t>(rest_[0] | (rest_[1] << 8U));
  rest_ = rest_.subspan(2);
  return value;
}

std::optional<std::uint64_t> WireReader::u64() {
  if (rest_.size() < 8) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = (value << 8U) | rest_[i];
  rest_ = rest_.subspan(8);
  return value;
}

std::optional<std::uint64_t> WireReader::varint(unsigned bits) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < bits; shift += 7) {
    const auto byte = u8();
    if (!byte) return std::nullopt;
    const std::uint64_t part = *byte & 0x7FU;
    // The last byte has room for some of its bits only.
    if (bits - shift < 7 && (part >> (bits - shift)) != 0) return std::nullopt;
    value |= part << shift;
    if ((*byte & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> WireReader::varint32() {
  const auto value = varint(32);
  if (!value) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

std::optional<std::uint64_t> WireReader::varint64() {
  return varint(64);
}

std::optional<std::uint32_t> WireReader::rgb() {
  if (rest_.size() < 3) return std::nullopt;
  const std::uint32_t value = (std::uint32_t{rest_[0]} << 16U) | (std::uint32_t{rest_[1]} << 8U) | rest_[2];
  rest_ = rest_.subspan(3);
  return value;
}

std::optional<std::uint32_t> WireReader::colour(std::size_t bytes_per_colour) {
  if (bytes_per_colour != 1) return rgb();
  const auto value = u8();
  if (!value) return std::nullopt;
  return std::uint32_t{*value};
}

std::optional<std::string_view> WireReader::text() {
  const auto size = varint32();
  if (!size || *size > rest_.size()) return std::nullopt;
  const std::string_view text = as_text(rest_.first(*size));
  rest_ = rest_.subspan(*size);
  return text;
}

}  // namespace fanfare::canvas
