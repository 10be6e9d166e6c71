#pragma once
// What a program says goes out as valid JSON in valid UTF-8, whatever bytes it has: a client must end a WebSocket that
// carries anything else (RFC6455§8.1), and JSON of one call must not become the answer to another. Pure; any thread.

#include <string>
#include <string_view>

namespace fanfare::rpc {

// Each byte that belongs to no character becomes U+FFFD.
std::string to_utf8(std::string_view text);
// One JSON value, nested at most 128 deep, in UTF-8.
bool is_sendable(std::string_view json);

}  // namespace fanfare::rpc
