#pragma once
// Decides from the delays of one thread which share of the new work it takes on. No clock, no thread.
//
// As in CoDel (RFC8289§3.2), the least delay of an interval counts: a burst makes some work wait, but only more work
// than the thread can do makes all of it wait. Then a share of the new work is refused. The share grows while the least
// delay is above the target, and shrinks when it is below half of it, so it settles where the thread just keeps up.

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "gateway/defend/plan.h"

namespace fanfare::gateway {

class LoadControl {
 public:
  static constexpr std::uint32_t kWhole = 1024;
  // Of the work, so much is always taken on: otherwise the delay could not show that the load has ended.
  static constexpr std::uint32_t kAdmittedMin = 16;
  // While work is refused, the share is decided so many times in an interval.
  static constexpr std::int64_t kStepsPerInterval = 5;
  // Before that, a tenth of an interval is enough if all work waits for more than so many targets, and the wait does not shrink.
  static constexpr std::int64_t kMomentsPerInterval = 10;
  static constexpr std::int64_t kFarTooLate = 5;
  // An interval with fewer delays goes on: one alone may be a process that was suspended.
  static constexpr std::uint32_t kDelaysMin = 3;

  explicit LoadControl(const OverloadPlan& plan) : plan_(plan) {}

  // One task, or one that still waits, had to wait this long. Times must not decrease.
  void note(Duration delay, Instant now);

  // How much of new work is taken on, of kWhole.
  std::uint32_t admitted() const { return admitted_; }
  bool is_overloaded() const { return admitted_ < kWhole; }

 private:
  struct Window {
    std::optional<Instant> from = {};
    Duration first = {};
    Duration least = Duration::max();
    std::uint32_t delays = 0;

    void note(Duration delay, Instant now);
  };
  static bool is_whole(const Window& window, Duration length, Instant now) {
    return now - *window.from >= length && window.delays >= kDelaysMin;
  }
  void decide(Duration least);

  const OverloadPlan plan_;
  std::uint32_t admitted_ = kWhole;
  Window interval_;
  Window moment_;
};

// Spreads refusals evenly: of any kWhole pieces of work, it takes the given share. One thread.
class EvenShare {
 public:
  // Whether the next piece is taken on.
  bool takes(std::uint32_t admitted) {
    if (admitted >= LoadControl::kWhole) return true;
    sum_ += admitted;
    if (sum_ < LoadControl::kWhole) return false;
    sum_ -= LoadControl::kWhole;
    return true;
  }

 private:
  std::uint32_t sum_ = 0;
};

}  // namespace fanfare::gateway
