#pragma once
// Finds values in a message's headers. Names and tokens are compared case-insensitively (RFC9110§5.1).
// Returned views point into the same memory as the fields.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/header_field.h"
#include "base/header_text.h"

namespace fanfare::http {

using fanfare::equals_ignoring_case;
using fanfare::is_header_value;
using fanfare::is_token;
using fanfare::trim_space;

using Headers = std::span<const HeaderField>;

// The value of the first field with this name.
std::optional<std::string_view> find_header(Headers headers, std::string_view name);
std::size_t count_headers(Headers headers, std::string_view name);

// Whether `token` is an element of the comma-separated lists in all fields with this name, as in `Connection:
// keep-alive, Upgrade`. RFC9110§5.6.1.
bool header_has_token(Headers headers, std::string_view name, std::string_view token);

}  // namespace fanfare::http
