#pragma once
// The text of HTTP header fields (RFC9110§5.5, §5.6): names, tokens and values. ASCII only: no locale, no Unicode. Any thread.

#include <string_view>

namespace fanfare {

// For equals_ignoring_case(): compares every byte of two texts of the same size.
bool equals_ignoring_case_to_the_end(std::string_view one, std::string_view other);

// Header names and most tokens are compared so (RFC9110§5.1). Most are compared with many others, from which they differ in their
// size or first byte.
inline bool equals_ignoring_case(std::string_view one, std::string_view other) {
  constexpr int kCase = 'a' ^ 'A';
  if (one.size() != other.size()) return false;
  return one.empty() || (((one[0] ^ other[0]) & ~kCase) == 0 && equals_ignoring_case_to_the_end(one, other));
}

// `text` without surrounding spaces and tabs. RFC9110§5.6.3.
std::string_view trim_space(std::string_view text);

// Whether a byte may occur in a token. RFC9110§5.6.2.
bool is_token_char(char c);
// Whether `text` is a token, like header names and methods: at least one token byte and nothing else. RFC9110§5.6.2.
bool is_token(std::string_view text);

// Whether `text` is a valid header value: no control bytes except tab. RFC9110§5.5.
bool is_header_value(std::string_view text);

}  // namespace fanfare
