#pragma once
// Looking for the next event for a while before a loop sleeps. A thread that sleeps on an idle core costs its waker an
// interrupt, and itself the way back: tens of microseconds on a virtual machine. Loop thread.

#include <sched.h>

#include <chrono>

#include "base/time.h"

namespace fanfare::net {

// The longest that programs and configurations may ask for: longer than any wake takes.
inline constexpr std::chrono::microseconds kBusyPollMax{1000};

class BusyPoll {
 public:
  // After the last event; zero: never.
  explicit BusyPoll(Duration time) : time_(time) {}

  // As Loop::poll(), which waits at most `wait`.
  template <typename Loop>
  bool poll(Loop& loop, Duration wait) {
    return time_ <= Duration::zero() ? loop.poll(wait) : look(loop, wait);
  }

 private:
  template <typename Loop>
  [[gnu::noinline]] bool look(Loop& loop, Duration wait) {
    bool came = loop.poll(Duration::zero());
    while (!came && wait > Duration::zero() && !loop.has_tasks() && !loop.timers_.has_due(loop.now_)) {
      if (loop.now_ - since_ >= time_) {
        came = loop.poll(loop.may_wait_from(loop.now_, wait));
        break;
      }
      // Other threads of this core may have what is waited for.
      ::sched_yield();
      came = loop.poll(Duration::zero());
    }
    if (came || loop.has_tasks()) since_ = loop.now_;
    return came;
  }

  const Duration time_;
  Instant since_ = kLongAgo;  // when the last event or task came
};

}  // namespace fanfare::net
