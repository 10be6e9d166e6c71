#pragma once
// Time is passed as an argument, so that a test can choose any instant without waiting.

#include <chrono>
#include <concepts>

namespace fanfare {

using Duration = std::chrono::nanoseconds;
// Monotonic; only differences are meaningful.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;
// Since 1970-01-01 UTC.
using WallTime = std::chrono::sys_time<Duration>;

// The longest wait. Longer settings count as this, which is practically forever. The sum of two is still
// exact, since it is far from the type's limit.
constexpr Duration kDurationMax = std::chrono::hours(24 * 365 * 100);

// Converts any duration to nanoseconds, clamped to -kDurationMax and kDurationMax. A plain conversion of
// milliseconds::max() would overflow, which is undefined behaviour.
template <std::integral Rep, typename Period>
constexpr Duration saturating_duration(std::chrono::duration<Rep, Period> duration) {
  using Coarse = std::chrono::duration<double, std::nano>;
  if (Coarse(duration) >= Coarse(kDurationMax)) return kDurationMax;
  if (Coarse(duration) <= Coarse(-kDurationMax)) return -kDurationMax;
  return std::chrono::duration_cast<Duration>(duration);
}

// "Not yet", where the time since the last one decides: longer ago than any setting. Instant{} is not, because a machine's monotonic
// clock begins when the machine does, which may be seconds ago.
constexpr Instant kLongAgo{-kDurationMax};

// `since` + `wait`, clamped to the limits of the type.
constexpr Instant saturating_add(Instant since, Duration wait) {
  if (wait > Duration::zero() && since > Instant::max() - wait) return Instant::max();
  if (wait < Duration::zero() && since < Instant::min() - wait) return Instant::min();
  return since + wait;
}

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() = 0;
  virtual WallTime wall_now() = 0;
};

// The system's own clock. Any thread.
Clock& system_clock();

// A clock that advances only through advance().
class ManualClock final : public Clock {
 public:
  Instant now() override { return now_; }
  WallTime wall_now() override { return WallTime(now_.time_since_epoch()); }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{std::chrono::hours(1)};
};

}  // namespace fanfare
