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
  // Before that, a tenth of an interval is enough if all work waits for more than so many targets, and the wait does not shrink from
  // one task to the next. One task says nothing about that, however long it waits: behind a burst, the next one waits less.
  static constexpr std::int64_t kMomentsPerInterval = 10;
  static constexpr std::int64_t kFarTooLate = 5;
  // An interval with fewer delays goes on: one alone may be a process that was suspended.
  static constexpr std::uint32_t kDelaysMin = 3;

  explicit LoadControl(const OverloadPlan& plan) : plan_(plan) {}

  // RFC8289§5: a queue that stands again so soon after the last overload is the same one.
  static constexpr std::int64_t kIntervalsToCalm = 16;

  // `waits`: the task has not run yet, and waits for at least this long.
  enum class Task : std::uint8_t { ran, waits };

  // One task had to wait this long. Times must not decrease.
  void note(Duration delay, Instant now, Task task = Task::ran);

  // How much of new work is taken on, of kWhole.
  std::uint32_t admitted() const { return admitted_; }
  bool is_overloaded() const { return admitted_ < kWhole; }
  // Whether it is overloaded, or was so within the last kIntervalsToCalm.
  bool is_wary() const { return is_wary_; }

 private:
  struct Window {
    std::optional<Instant> from = {};
    Duration least = Duration::max();
    std::uint32_t delays = 0;

    void note(Duration delay, Instant now);
  };
  static bool is_whole(const Window& window, Duration length, Instant now) {
    return now - *window.from >= length && window.delays >= kDelaysMin;
  }
  // Tasks one after the other that were far too late, the first of them the least late.
  struct FarTooLate {
    Instant from = {};
    Duration first = {};
    std::uint32_t delays = 0;  // zero: the last task was not
  };
  // Whether the queue stands, or grows, far beyond the target.
  bool note_far_too_late(Duration delay, Instant now, Task task);
  void decide(Duration least);
  void note_overload(Instant now);

  const OverloadPlan plan_;
  std::uint32_t admitted_ = kWhole;
  Window interval_;
  FarTooLate far_;
  std::optional<Instant> overloaded_at_;  // the last time
  bool is_wary_ = false;
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
