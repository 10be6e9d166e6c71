#pragma once
// How long a tick lasts. What a tick costs (work of the room and of the loops that deliver it) is measured by the caller;
// a tick lasts at least kRestFactor times its cost, so that the machine keeps half of its time. Longer at once, shorter
// slowly: an eighth of the difference with each tick. One thread.

#include "base/time.h"

namespace fanfare::canvas {

class Pacer {
 public:
  static constexpr int kRestFactor = 2;

  // tick_min <= tick_max.
  Pacer(Duration tick_min, Duration tick_max) : min_(tick_min), max_(tick_max), interval_(tick_min) {}

  // After each tick, also an empty one: what the last one cost.
  void add(Duration cost);
  // From the start of a tick to the start of the next: tick_min to tick_max.
  Duration interval() const { return interval_; }

 private:
  Duration min_;
  Duration max_;
  Duration interval_;
};

}  // namespace fanfare::canvas
