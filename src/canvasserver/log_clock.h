#pragma once
// The times of the ticks in a room's log. Each is later than the one before, also if the machine's clock was set back: then a tick
// is one millisecond after the last one, until the clock has caught up. A tick also comes after every moment that is_past() has
// called past.

#include <algorithm>
#include <cstdint>
#include <mutex>

namespace fanfare::canvasserver {

class LogClock {
 public:
  // `last_ms`: of the log's last tick, in milliseconds since 1970.
  explicit LogClock(std::int64_t last_ms) : last_ms_(last_ms) {}
  LogClock(const LogClock&) = delete;
  LogClock& operator=(const LogClock&) = delete;

  // Whether no tick of that time or before can follow: then the log has the answer, and it never changes. Any thread.
  bool is_past(std::int64_t at_ms, std::int64_t now_ms) {
    const std::scoped_lock lock(mutex_);
    if (at_ms >= now_ms && at_ms > last_ms_) return false;
    told_ms_ = std::max(told_ms_, at_ms);
    return true;
  }
  // Also over a restart: a tick of that time or after is in the log. Any thread.
  bool is_settled(std::int64_t at_ms) const {
    const std::scoped_lock lock(mutex_);
    return at_ms <= last_ms_;
  }
  // The time of the next tick, passed to `append`, which gives the tick to the log before others see that time.
  template <typename Append>
  void tick(std::int64_t now_ms, Append append) {
    const std::scoped_lock lock(mutex_);
    last_ms_ = std::max({now_ms, last_ms_ + 1, told_ms_ + 1});
    append(last_ms_);
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::int64_t last_ms_;
  std::int64_t told_ms_ = 0;  // is_past() of this moment was true
};

}  // namespace fanfare::canvasserver
