#pragma once
// Hexadecimal digits, in upper and lower case.

namespace fanfare {

// The value of a digit; -1 if it is none.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr bool is_hex_digit(char c) {
  return hex_digit(c) >= 0;
}

}  // namespace fanfare
