#pragma once
// The format of a log line:
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

// Limit for one value in a line; a longer value is cut, and its length is stated. This limits what a peer can
// put into the log even if the caller did not shorten the value.
inline constexpr std::size_t kValueBytesMax = 1024;

// Appends the time in UTC, as above.
void append_time(std::string& line, WallTime now);

// The line including its newline. Milliseconds are truncated, not rounded. `more` follows `fields`.
std::string line_of(WallTime now, Level level, std::string_view event, Fields fields, Fields more = {});

}  // namespace fanfare::log
