#pragma once
// Time is an argument: code that needs "now" is told it, so that a test can be at any instant at once.

#include <chrono>

namespace fanfare {

using Duration = std::chrono::nanoseconds;
// Monotonic; only differences mean anything.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;
// Since 1970-01-01 UTC.
using WallTime = std::chrono::sys_time<Duration>;

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
