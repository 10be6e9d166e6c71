#include "gateway/defend/load_control.h"

#include <algorithm>

namespace fanfare::gateway {
namespace {

// With almost nothing waiting, and with less than half of the target. Larger steps overshoot: under twice the load the
// delay would swing to three times the target, instead of twice.
constexpr std::uint32_t kLongStep = LoadControl::kWhole / 32;
constexpr std::uint32_t kShortStep = LoadControl::kWhole / 128;

}  // namespace

void LoadControl::Window::note(Duration delay, Instant now) {
  if (!from) from = now;
  least = std::min(least, delay);
  ++delays;
}

void LoadControl::note(Duration delay, Instant now, Task task) {
  interval_.note(delay, now);
  const bool is_far_too_late = note_far_too_late(delay, now, task) && !is_overloaded();
  const Duration length = is_overloaded() ? plan_.delay_interval / kStepsPerInterval : plan_.delay_interval;
  if (is_far_too_late || is_whole(interval_, length, now)) {
    decide(is_far_too_late ? far_.first : interval_.least);  // what was before far_ does not count
    interval_ = {.from = now};
  }
  note_overload(now);
}

bool LoadControl::note_far_too_late(Duration delay, Instant now, Task task) {
  const bool is_far = delay > kFarTooLate * plan_.delay_target;
  if (task == Task::waits) {
    // How long it waits in the end is not known, only that it is not less.
    if (far_.delays == 0 || delay < far_.first) return false;
  } else if (!is_far || far_.delays == 0 || delay < far_.first) {
    far_ = {.from = now, .first = delay, .delays = is_far ? 1U : 0U};
    return false;
  }
  ++far_.delays;
  return far_.delays >= kDelaysMin && now - far_.from >= plan_.delay_interval / kMomentsPerInterval;
}

void LoadControl::note_overload(Instant now) {
  if (is_overloaded()) overloaded_at_ = now;
  is_wary_ = overloaded_at_ && now - *overloaded_at_ < kIntervalsToCalm * plan_.delay_interval;
}

void LoadControl::decide(Duration least) {
  if (least > plan_.delay_target) {
    // Much too late, or the first time: the queue must shrink at once.
    const bool halve = !is_overloaded() || least > 4 * plan_.delay_target;
    admitted_ = std::max(halve ? admitted_ / 2 : admitted_ * 17 / 20, kAdmittedMin);
  } else if (least <= plan_.delay_target / 2) {
    const std::uint32_t step = least <= plan_.delay_target / 8 ? kLongStep : kShortStep;
    admitted_ = std::min(admitted_ + step, kWhole);
  }
}

}  // namespace fanfare::gateway
