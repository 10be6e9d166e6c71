#include "canvas/pacer.h"

#include <algorithm>

namespace fanfare::canvas {

void Pacer::add(Duration cost) {
  const Duration wanted = std::clamp(std::min(cost, max_) * kRestFactor, min_, max_);
  if (wanted >= interval_) {
    interval_ = wanted;
    return;
  }
  // At least a microsecond, so that it arrives.
  const Duration step = std::max<Duration>((interval_ - wanted) / 8, std::chrono::microseconds(1));
  interval_ = std::max(interval_ - step, wanted);
}

}  // namespace fanfare::canvas
