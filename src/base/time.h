#pragma once
// Time is an argument: code that needs "now" is told it, so that a test can be at any instant at once.

#include <chrono>
#include <concepts>

namespace fanfare {

using Duration = std::chrono::nanoseconds;
// Monotonic; only differences mean anything.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;
// Since 1970-01-01 UTC.
using WallTime = std::chrono::sys_time<Duration>;

// The longest time that anything waits. Longer settings count as this, which is as good as forever, and still
// far enough from the type's end for the sum of two to be exact.
constexpr Duration kDurationMax = std::chrono::hours(24 * 365 * 100);

// Any duration in nanoseconds, kept between -kDurationMax and kDurationMax: milliseconds::max() is too large
// for the plain conversion, which is undefined then.
template <std::integral Rep, typename Period>
constexpr Duration saturating_duration(std::chrono::duration<Rep, Period> duration) {
  using Coarse = std::chrono::duration<double, std::nano>;
  if (Coarse(duration) >= Coarse(kDurationMax)) return kDurationMax;
  if (Coarse(duration) <= Coarse(-kDurationMax)) return -kDurationMax;
  return std::chrono::duration_cast<Duration>(duration);
}

// `since` + `wait`, but never past the ends of the type.
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

// The machine's own clock. Any thread.
Clock& system_clock();

// Stands still until told to move.
class ManualClock final : public Clock {
 public:
  Instant now() override { return now_; }
  WallTime wall_now() override { return WallTime(now_.time_since_epoch()); }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{std::chrono::hours(1)};
};

}  // namespace fanfare
