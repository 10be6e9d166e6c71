#include "devchain/types.h"

#include <algorithm>

#include "base/hex.h"

namespace fanfare::devchain {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

bool has_prefix(std::string_view text) {
  return text.size() >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

template <typename Array>
std::optional<Array> parse_array(std::string_view text) {
  Array made{};
  if (text.size() != 2 + 2 * made.size()) return std::nullopt;
  const auto bytes = parse_hex(text);
  if (!bytes) return std::nullopt;
  std::ranges::copy(*bytes, made.begin());
  return made;
}

}  // namespace

std::string hex(Bytes bytes) {
  std::string text(2 + 2 * bytes.size(), '0');
  text[1] = 'x';
  char* out = text.data() + 2;
  for (const std::uint8_t byte : bytes) {
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
  return text;
}

std::string quantity(Wei value) {
  std::string text = "0x";
  int shift = 124;
  while (shift > 0 && (value >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) text += kDigits[static_cast<std::size_t>((value >> shift) & 15)];
  return text;
}

std::string quantity(const Hash& word) {
  const std::string digits = hex(word);
  const std::size_t first = digits.find_first_not_of('0', 2);
  return first == std::string::npos ? "0x0" : "0x" + digits.substr(first);
}

std::string decimal(Wei value) {
  std::string text;
  do {
    text += static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  std::ranges::reverse(text);
  return text;
}

std::optional<Blob> parse_hex(std::string_view text) {
  if (!has_prefix(text) || text.size() % 2 != 0) return std::nullopt;
  Blob bytes;
  bytes.reserve(text.size() / 2 - 1);
  for (std::size_t at = 2; at < text.size(); at += 2) {
    const int high = hex_digit(text[at]);
    const int low = hex_digit(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return bytes;
}

std::optional<Wei> parse_quantity(std::string_view text) {
  if (!has_prefix(text) || text.size() < 3 || text.size() > 66) return std::nullopt;
  if (text[2] == '0' && text.size() > 3) return std::nullopt;
  Wei value = 0;
  for (const char c : text.substr(2)) {
    const int next = hex_digit(c);
    if (next < 0) return std::nullopt;
    value = (value << 4) | static_cast<Wei>(next);
  }
  return text.size() > 34 ? kWeiMax : value;
}

std::optional<Hash> parse_hash(std::string_view text) {
  return parse_array<Hash>(text);
}
std::optional<Address> parse_address(std::string_view text) {
  return parse_array<Address>(text);
}

Hash word(Wei value) {
  Hash bytes{};
  for (std::size_t at = 0; at < 16; ++at) bytes[31 - at] = static_cast<std::uint8_t>(value >> (8 * at));
  return bytes;
}

Hash word(const Address& address) {
  Hash bytes{};
  std::ranges::copy(address, bytes.begin() + 12);
  return bytes;
}

Wei number_of(Bytes big_endian) {
  while (!big_endian.empty() && big_endian.front() == 0) big_endian = big_endian.subspan(1);
  if (big_endian.size() > 16) return kWeiMax;
  Wei value = 0;
  for (const std::uint8_t byte : big_endian) value = (value << 8) | byte;
  return value;
}

Address address_of_word(const Hash& word) {
  Address address;
  std::copy(word.begin() + 12, word.end(), address.begin());
  return address;
}

}  // namespace fanfare::devchain
