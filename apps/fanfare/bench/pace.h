#pragma once
// The due times of messages at a steady rate. They do not depend on the server: if it falls behind, later
// messages are still due on time (no coordinated omission).

#include <chrono>
#include <cmath>
#include <cstdint>

#include "base/time.h"

namespace fanfare::app {

class Pace {
 public:
  // `rate`: messages per second; 0: none is ever due.
  explicit Pace(double rate) : nanoseconds_each_(rate > 0 ? 1e9 / rate : 0) {}

  bool is_steady() const { return nanoseconds_each_ > 0; }
  void begin(Instant start) { start_ = start; }
  Instant due_at(std::uint64_t number) const {
    return start_ + Duration(std::llround(static_cast<double>(number) * nanoseconds_each_));
  }

 private:
  double nanoseconds_each_;
  Instant start_{};
};

// How long to wait in the kernel until the next message is due. Zero if waking up would take about as long.
inline Duration worthwhile_wait(Duration until) {
  return until < std::chrono::microseconds(50) ? Duration::zero() : until;
}

}  // namespace fanfare::app
