#pragma once
// For tests only: an executor with simulated time. Nothing runs until the test says so; a day takes only as
// long as its events.

#include <algorithm>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "upstream/executor.h"

namespace fanfare::upstream::testing {

class SimulatedTime final : public Executor {
 public:
  bool post(Task task) override {
    posted_.push_back(std::move(task));
    return true;
  }
  void run(Task task) override { task(); }
  TimerId call_at(Instant when, Task task) override {
    const TimerId id{.at = when, .serial = ++serial_};
    timers_.emplace(id, std::move(task));
    return id;
  }
  bool cancel(TimerId timer) override { return !timers_.extract(timer).empty(); }
  Instant now() const override { return now_; }
  bool on_thread() const override { return true; }
  bool stopping() const override { return false; }
  void attach(StopListener&) override {}
  void detach(StopListener&) override {}

  // Advances the time and runs everything due in it.
  void run_for(Duration duration) {
    const Instant end = now_ + duration;
    run_posted();
    while (!timers_.empty() && timers_.begin()->first.at <= end) {
      auto node = timers_.extract(timers_.begin());
      now_ = std::max(now_, node.key().at);
      node.mapped()();
      run_posted();
    }
    now_ = end;
  }
  // Runs until `condition` holds, checked every `step`; false if it does not hold within `most`.
  template <typename Condition>
  bool run_until(Condition&& condition, Duration most, Duration step = std::chrono::milliseconds(10)) {
    const Instant end = now_ + most;
    while (!condition()) {
      if (now_ >= end) return false;
      run_for(step);
    }
    return true;
  }

 private:
  void run_posted() {
    while (!posted_.empty()) {
      Task task = std::move(posted_.front());
      posted_.pop_front();
      task();
    }
  }

  Instant now_{std::chrono::hours(1)};
  std::map<TimerId, Task> timers_;
  std::deque<Task> posted_;
  std::uint64_t serial_ = 0;
};

}  // namespace fanfare::upstream::testing
