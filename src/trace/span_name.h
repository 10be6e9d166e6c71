#pragma once
// Names of spans should be few, and a client can invent methods. Pure; any thread.

#include <cstddef>
#include <string>
#include <string_view>

namespace fanfare::trace {

inline constexpr std::size_t kSpanNameBytesMax = 64;

// The method, if it looks like one: at most kSpanNameBytesMax letters, digits, '_' and '.'. Else "jsonrpc".
std::string span_name_of(std::string_view method);

}  // namespace fanfare::trace
