#pragma once
// Parsing of HTTP header values for the handshake: tokens and lists of tokens (RFC 9110 §5.6). Any thread.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/header_field.h"

namespace fanfare::ws {

// RFC9110§5.6.2: the characters of a token.
bool is_token_char(char character);
// One or more token characters and nothing else.
bool is_token(std::string_view text);

// ASCII only, as header names and protocol tokens are.
bool equal_ignoring_case(std::string_view left, std::string_view right);

std::string_view trim_space(std::string_view text);

// The number of headers with a name, and the value of the first.
struct FoundHeader {
  std::size_t count = 0;
  std::string_view value;
};
FoundHeader find_header(std::span<const HeaderField> headers, std::string_view name);

// Whether any header of that name has `token` in its comma-separated list, case-insensitively.
bool list_names(std::span<const HeaderField> headers, std::string_view name, std::string_view token);

// Returns the elements of all headers of that name, in order, without empty elements. An empty optional means
// that an element is not a token. The views point into the headers.
std::optional<std::vector<std::string_view>> list_tokens(std::span<const HeaderField> headers,
                                                         std::string_view name);

// Whether the text may be sent as a header value: no control bytes, and nothing that could end the line.
bool is_header_value(std::string_view text);

}  // namespace fanfare::ws
