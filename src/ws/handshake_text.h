#pragma once
// Parsing of HTTP header values for the handshake: lists of tokens (RFC 9110 §5.6). Any thread.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/header_field.h"
#include "base/header_text.h"

namespace fanfare::ws {

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

}  // namespace fanfare::ws
