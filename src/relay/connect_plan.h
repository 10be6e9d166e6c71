#pragma once
// When a link is connected: at once, and again after each failure, with growing waits. Then the library reconnects by itself, until it
// gives up, or the link has looked for a better connection (LinkEvents::on_closed). No I/O.

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

// When a link looks whether another connection would be better than the one it has (Link::look()). No I/O.
class LookPlan {
 public:
  static constexpr Duration kWaitMin = std::chrono::seconds(1);
  static constexpr Duration kWaitMax = std::chrono::seconds(15);
  static constexpr Duration kForgottenAfter = std::chrono::minutes(1);

  // Whether it is time. The next one is later each time, until nobody has wanted one for a while.
  bool take(Instant now) {
    if (now < at_) return false;
    if (now > saturating_add(at_, kForgottenAfter)) wait_ = Duration::zero();
    wait_ = std::clamp(wait_ * 2, kWaitMin, kWaitMax);
    at_ = saturating_add(now, wait_);
    return true;
  }

 private:
  Duration wait_ = Duration::zero();
  Instant at_{};
};

}  // namespace fanfare::relay
