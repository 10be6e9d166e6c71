#pragma once
// When the broker is asked about a topic: some time after something was heard of it, and at once when another instance has ended its
// epoch. No I/O.

#include <utility>

#include "base/random.h"
#include "base/time.h"

namespace fanfare::relay {

class TopicLook {
 public:
  bool is_due(Instant now) const { return now >= next_; }
  void plan(Instant when) { next_ = when; }
  // After this time at most, and half of it at least: not all topics at once.
  void plan_within(Duration longest, Instant now, Random& random) {
    const auto half = static_cast<std::uint64_t>(longest.count()) / 2;
    next_ = saturating_add(now, Duration(half + random.next_u64() % (half + 1)));
  }
  void made() { is_quiet_ = true; }
  void message_came() { is_quiet_ = false; }
  // No message has come since the last look.
  bool is_quiet() const { return is_quiet_; }
  // Another instance says that the topic has another epoch.
  void hear_of_epoch() {
    has_heard_ = true;
    next_ = Instant{};
  }
  // The epoch is asked for.
  bool take_heard() { return std::exchange(has_heard_, false); }

 private:
  Instant next_{};
  bool is_quiet_ = false;
  bool has_heard_ = false;
};

}  // namespace fanfare::relay
