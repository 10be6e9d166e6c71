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
  // While work is refused, and while all of it waits for more than so many targets and not less and less, the share is decided so many
  // times in an interval.
  static constexpr std::int64_t kStepsPerInterval = 5;
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
  void decide(Duration least);

  const OverloadPlan plan_;
  std::uint32_t admitted_ = kWhole;
  std::optional<Instant> interval_from_;
  Duration first_{};  // of the interval
  Duration least_ = Duration::max();
  std::uint32_t delays_ = 0;
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
