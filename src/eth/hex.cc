#include "eth/hex.h"

#include <charconv>

#include "base/hex.h"

namespace fanfare::eth {
namespace {

bool has_prefix(std::string_view text) {
  return text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

template <std::size_t Size>
std::size_t mix_ends(const std::array<std::uint8_t, Size>& bytes) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::memcpy(&first, bytes.data(), sizeof(first));
  std::memcpy(&last, bytes.data() + Size - sizeof(last), sizeof(last));
  std::uint64_t mixed = (first ^ (last * 0x9E3779B97F4A7C15U)) * 0xC2B2AE3D27D4EB4FU;
  mixed ^= mixed >> 32U;
  return static_cast<std::size_t>(mixed);
}

}  // namespace

std::size_t FixedBytesHash::operator()(const Hash256& value) const noexcept {
  return mix_ends(value.bytes);
}
std::size_t FixedBytesHash::operator()(const Address& value) const noexcept {
  return mix_ends(value.bytes);
}

std::optional<std::uint64_t> parse_quantity(std::string_view text) {
  if (!has_prefix(text)) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text.substr(2)) {
    const int digit = hex_digit(c);
    if (digit < 0 || value >> 60U != 0) return std::nullopt;
    value = value << 4U | static_cast<std::uint64_t>(digit);
  }
  return value;
}

bool parse_data(std::string_view text, MutableBytes out) {
  if (text.size() != 2 + 2 * out.size() || !text.starts_with("0x")) {
    if (text.size() != 2 + 2 * out.size() || !text.starts_with("0X")) return false;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_digit(text[2 + 2 * i]);
    const int low = hex_digit(text[3 + 2 * i]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

std::optional<Hash256> parse_hash(std::string_view text) {
  Hash256 hash;
  if (!parse_data(text, hash.bytes)) return std::nullopt;
  return hash;
}

std::optional<Address> parse_address(std::string_view text) {
  Address address;
  if (!parse_data(text, address.bytes)) return std::nullopt;
  return address;
}

std::string to_quantity(std::uint64_t value) {
  std::array<char, 18> text{'0', 'x'};
  const auto end = std::to_chars(text.data() + 2, text.data() + text.size(), value, 16).ptr;
  return {text.data(), end};
}

std::string to_hex(Bytes bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "0x";
  text.reserve(2 + 2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace fanfare::eth
