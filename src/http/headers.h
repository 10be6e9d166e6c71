#pragma once
// Finds values in a message's headers. Names and tokens are compared case-insensitively (RFC9110§5.1).
// Returned views point into the same memory as the fields.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/header_field.h"

namespace fanfare::http {

using Headers = std::span<const HeaderField>;

// ASCII only: no locale, no Unicode.
bool equals_ignoring_case(std::string_view one, std::string_view other);

// The value of the first field with this name.
std::optional<std::string_view> find_header(Headers headers, std::string_view name);
std::size_t count_headers(Headers headers, std::string_view name);

// Whether `token` is an element of the comma-separated lists in all fields with this name, as in `Connection:
// keep-alive, Upgrade`. RFC9110§5.6.1.
bool header_has_token(Headers headers, std::string_view name, std::string_view token);

// `text` without surrounding spaces and tabs. RFC9110§5.6.3.
std::string_view trim_space(std::string_view text);

// Whether `text` is a token, like header names and methods. RFC9110§5.6.2.
bool is_token(std::string_view text);
// Whether `text` is a valid header value: no control bytes except tab. RFC9110§5.5.
bool is_header_value(std::string_view text);

}  // namespace fanfare::http
