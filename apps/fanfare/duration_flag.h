#pragma once
// Parses a duration given as the value of a flag.

#include <expected>
#include <string>
#include <string_view>

#include "base/time.h"

namespace fanfare::app {

// The error is for the user: '--wait is a number without a unit ("5"), expected a duration such as 500ms,
// ...'
std::expected<Duration, std::string> parse_duration_flag(std::string_view flag, std::string_view text);

}  // namespace fanfare::app
