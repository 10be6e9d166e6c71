#pragma once
// How a line of the log is written:
//
//   2026-11-21T06:40:00.123Z info  session_opened peer=127.0.0.1:50312
//   |                        |     |              fields: key=value, quoted and escaped where needed
//   UTC, milliseconds        level, at least five columns

#include <cstddef>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/time.h"

namespace fanfare::log {

// Of a value in a line; a longer one is cut and says how long it was. What a peer can put into the log is
// bounded, whoever forgot to cut it.
inline constexpr std::size_t kValueBytesMax = 1024;

// The line with its newline. Milliseconds are cut, not rounded. `more` follows `fields`.
std::string line_of(WallTime now, Level level, std::string_view event, Fields fields, Fields more = {});

}  // namespace fanfare::log
