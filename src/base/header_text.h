#pragma once
// The text of HTTP header fields (RFC9110§5.5, §5.6): names, tokens and values. ASCII only: no locale, no Unicode. Any thread.

#include <string_view>

namespace fanfare {

// Header names and most tokens are compared so (RFC9110§5.1).
bool equals_ignoring_case(std::string_view one, std::string_view other);

// `text` without surrounding spaces and tabs. RFC9110§5.6.3.
std::string_view trim_space(std::string_view text);

// Whether a byte may occur in a token. RFC9110§5.6.2.
bool is_token_char(char c);
// Whether `text` is a token, like header names and methods: at least one token byte and nothing else. RFC9110§5.6.2.
bool is_token(std::string_view text);

// Whether `text` is a valid header value: no control bytes except tab. RFC9110§5.5.
bool is_header_value(std::string_view text);

}  // namespace fanfare
