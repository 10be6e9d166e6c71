#pragma once
// When a link is connected: at once, and again after each failure, with growing waits. Then the library reconnects by itself, until it
// gives up (LinkEvents::on_closed). No I/O.

#include <algorithm>

#include "base/time.h"

namespace fanfare::relay {

class ConnectPlan {
 public:
  static constexpr Duration kWaitMax = std::chrono::seconds(2);

  // The first wait, and a longest one if it is more than kWaitMax.
  explicit ConnectPlan(Duration shortest) : shortest_(shortest) {}

  // Whether an attempt is due. Then none is until failed().
  bool take(Instant now) {
    if (now < at_) return false;
    at_ = Instant::max();
    return true;
  }
  void failed(Instant now) {
    wait_ = std::clamp(wait_ * 2, shortest_, std::max(shortest_, kWaitMax));
    at_ = saturating_add(now, wait_);
  }
  void connected() { wait_ = Duration::zero(); }
  Instant at() const { return at_; }

 private:
  const Duration shortest_;
  Duration wait_ = Duration::zero();
  Instant at_{};
};

}  // namespace fanfare::relay
