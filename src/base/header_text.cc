#include "base/header_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace fanfare {
namespace {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// RFC9110§5.6.2: tchar.
constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> bytes{};
  for (unsigned char c = '0'; c <= '9'; ++c) bytes[c] = true;
  for (unsigned char c = 'a'; c <= 'z'; ++c) bytes[c] = true;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) bytes[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) bytes[static_cast<unsigned char>(c)] = true;
  return bytes;
}();

}  // namespace

// Nearly all bytes are equal without a change of case, so that is tried first.
bool equals_ignoring_case_to_the_end(std::string_view one, std::string_view other) {
  for (std::size_t i = 0; i < one.size(); ++i) {
    if (one[i] != other[i] && lower(one[i]) != lower(other[i])) return false;
  }
  return true;
}

std::string_view trim_space(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_token_char(char c) {
  return kTokenBytes[static_cast<unsigned char>(c)];
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

bool is_header_value(std::string_view text) {
  // The loop has no branches, so that the compiler can check many bytes at once.
  std::uint8_t controls = 0;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    const auto is_low = static_cast<std::uint8_t>(byte < 0x20);
    const auto is_tab = static_cast<std::uint8_t>(byte == '\t');
    const auto is_delete = static_cast<std::uint8_t>(byte == 0x7F);
    controls = static_cast<std::uint8_t>(controls | (is_low ^ is_tab) | is_delete);
  }
  return controls == 0;
}

}  // namespace fanfare
