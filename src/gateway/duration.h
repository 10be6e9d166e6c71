#pragma once
// Durations as people write them: `30s`, `500ms`, `1m30s`, `1h`.
//
//   duration = 1*(digits unit), units from large to small, each at most once: h, m, s, ms
//
// Zero needs a unit too (`0s`). At most 8760h, so that adding one to a point in time cannot overflow.

#include <expected>
#include <string>
#include <string_view>

#include "base/time.h"

namespace fanfare::gateway {

// The error describes the problem ("a number without a unit"); the caller adds the position.
std::expected<Duration, std::string> parse_duration(std::string_view text);

// The shortest text that parse_duration reads as the same duration; fractions of a millisecond are cut off.
std::string format_duration(Duration duration);

}  // namespace fanfare::gateway
