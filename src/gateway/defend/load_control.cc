#include "gateway/defend/load_control.h"

#include <algorithm>
#include <utility>

namespace fanfare::gateway {
namespace {

// With almost nothing waiting, and with less than half of the target. Larger steps overshoot: under twice the load the
// delay would swing to three times the target, instead of twice.
constexpr std::uint32_t kLongStep = LoadControl::kWhole / 32;
constexpr std::uint32_t kShortStep = LoadControl::kWhole / 128;

}  // namespace

void LoadControl::Window::note(Duration delay, Instant now) {
  if (delays == 0) first = delay;
  if (!from) from = now;
  least = std::min(least, delay);
  ++delays;
}

void LoadControl::note(Duration delay, Instant now) {
  interval_.note(delay, now);
  moment_.note(delay, now);
  bool is_far_too_late = false;
  if (is_whole(moment_, plan_.delay_interval / kMomentsPerInterval, now)) {
    is_far_too_late =
        !is_overloaded() && moment_.least > kFarTooLate * plan_.delay_target && delay >= moment_.first;
    if (is_far_too_late) interval_ = moment_;  // what was before it does not count
    moment_ = {.from = now};
  }
  const Duration length = is_overloaded() ? plan_.delay_interval / kStepsPerInterval : plan_.delay_interval;
  if (!is_far_too_late && !is_whole(interval_, length, now)) return;
  decide(interval_.least);
  interval_ = {.from = now};
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
