#pragma once
// How `fanfare connect` shows JSON to people. Pure functions, any thread.

#include <optional>
#include <string>
#include <string_view>

namespace fanfare::app {

// JSON with the colours of a terminal: names, texts, and everything else. Text that is not JSON is returned
// unchanged. `json` has no control characters (printable()).
std::string coloured_json(std::string_view json);

// A notification of a new head in one line:
//   head 1204  0x6d13a0f2..4f200b1c  12:07:31  gas 53.2 %  base fee 0.93 gwei
// What the header lacks is left out. Empty: `json` is no such notification, or carries more than the head (a
// notice, a cursor).
std::optional<std::string> head_line(std::string_view json);

}  // namespace fanfare::app
