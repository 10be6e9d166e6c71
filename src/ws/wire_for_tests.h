#pragma once
// The notation for bytes in tests: hex, text in quotes, and repetition.
//
//   wire("81 85 00000000 'Hello'")     wire("82 7E 0100 AB*256")     wire("81 02 '\"' '!'")
//
// Text is in single or double quotes, without escapes. Blanks between hex digits are ignored.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace fanfare::ws::testing {

using Wire = std::vector<std::uint8_t>;

inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  throw std::invalid_argument(std::string("no hex digit: ") + c);
}

inline Wire wire(std::string_view text) {
  Wire bytes;
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == ' ' || c == '\n') {
      ++at;
    } else if (c == '\'' || c == '"') {
      const std::size_t end = text.find(c, at + 1);
      if (end == std::string_view::npos) throw std::invalid_argument("unfinished text");
      bytes.insert(bytes.end(), text.begin() + at + 1, text.begin() + end);
      at = end + 1;
    } else if (c == '*') {
      std::size_t digits = 0;
      const unsigned long times = std::stoul(std::string(text.substr(at + 1)), &digits);
      if (bytes.empty() || times == 0) throw std::invalid_argument("nothing to repeat");
      bytes.insert(bytes.end(), times - 1, bytes.back());
      at += 1 + digits;
    } else {
      if (at + 1 >= text.size()) throw std::invalid_argument("half a byte");
      bytes.push_back(static_cast<std::uint8_t>(hex_digit(c) * 16 + hex_digit(text[at + 1])));
      at += 2;
    }
  }
  return bytes;
}

inline std::string hex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

template <typename... Parts>
Wire joined(const Parts&... parts) {
  Wire bytes;
  (bytes.insert(bytes.end(), parts.begin(), parts.end()), ...);
  return bytes;
}

// Keeps the written bytes until they are taken.
class KeptOutput final : public Output {
 public:
  std::uint8_t* extend(std::size_t size) override {
    bytes_.resize(bytes_.size() + size);
    return bytes_.data() + bytes_.size() - size;
  }
  Wire take() { return std::exchange(bytes_, {}); }

 private:
  Wire bytes_;
};

}  // namespace fanfare::ws::testing
