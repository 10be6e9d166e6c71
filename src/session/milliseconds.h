#pragma once
// Durations as stored in sessions: whole milliseconds in 32 bits.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace fanfare::session {

// Rounded up and clamped to the range (0 to 49 days). A deadline of the maximum never expires.
inline std::uint32_t to_ms(Duration duration) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, UINT32_MAX));
}

}  // namespace fanfare::session
