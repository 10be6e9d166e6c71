#pragma once
// Durations as sessions keep them: whole milliseconds in 32 bits.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace fanfare::session {

// Rounded up. What does not fit (49 days, or below zero) is the nearest that does: a deadline of the longest
// time there is never comes.
inline std::uint32_t to_ms(Duration duration) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, UINT32_MAX));
}

}  // namespace fanfare::session
