#pragma once
// How a line of the log is written:
//
//   2026-11-21T06:40:00.123Z info  session_opened peer=127.0.0.1:50312
//   |                        |     |              fields: key=value, quoted and escaped where needed
//   UTC, milliseconds        level, at least five columns

#include <string>
#include <string_view>

#include "base/log.h"
#include "base/time.h"

namespace fanfare::log {

// The line with its newline. Milliseconds are cut, not rounded. `more` follows `fields`.
std::string line_of(WallTime now, Level level, std::string_view event, Fields fields, Fields more = {});

}  // namespace fanfare::log
