#pragma once
// The words of HTTP headers as the handshake reads them: tokens and lists of tokens (RFC 9110 §5.6). Any
// thread.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/header_field.h"

namespace fanfare::ws {

// RFC9110§5.6.2: what a token is made of.
bool is_token_char(char character);
// At least one token character and nothing else.
bool is_token(std::string_view text);

// ASCII only, as header names and protocol tokens are.
bool equal_ignoring_case(std::string_view left, std::string_view right);

std::string_view trim_space(std::string_view text);

// How often a header stands there, and the value of the first.
struct FoundHeader {
  std::size_t count = 0;
  std::string_view value;
};
FoundHeader find_header(std::span<const HeaderField> headers, std::string_view name);

// Whether any header of that name has `token` as an element of its comma-separated list, in any case.
bool list_names(std::span<const HeaderField> headers, std::string_view name, std::string_view token);

// The elements of all headers of that name, in order, empty elements left out. Empty optional: an element is
// no token. The views point into the headers.
std::optional<std::vector<std::string_view>> list_tokens(std::span<const HeaderField> headers,
                                                         std::string_view name);

// Neither control bytes nor anything that could end the line: what may stand in a header value we send.
bool is_header_value(std::string_view text);

}  // namespace fanfare::ws
