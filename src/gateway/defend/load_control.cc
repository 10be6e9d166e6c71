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

void LoadControl::note(Duration delay, Instant now) {
  if (!interval_from_) interval_from_ = now;
  if (delays_ == 0) first_ = delay;
  least_ = std::min(least_, delay);
  const bool is_far_too_late = least_ > kFarTooLate * plan_.delay_target && delay >= first_;
  const Duration interval =
      is_overloaded() || is_far_too_late ? plan_.delay_interval / kStepsPerInterval : plan_.delay_interval;
  ++delays_;
  if (now - *interval_from_ < interval || delays_ < kDelaysMin) return;
  decide(std::exchange(least_, Duration::max()));
  delays_ = 0;
  interval_from_ = now;
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
