#include "gateway/ready_waiters.h"

namespace fanfare::gateway {

void ReadyWaiters::wait(Done done) {
  if (ready_ || waiting_.size() >= limits_.waiters_max) return done(ready_);
  waiting_.push_back({.deadline = executor_.now() + limits_.wait_max, .done = std::move(done)});
  if (waiting_.size() == 1) arm();
}

void ReadyWaiters::set_ready(bool ready) {
  ready_ = ready;
  if (!ready) return;
  executor_.cancel(timer_);
  // Taken out first: `done` may call wait() again.
  for (Waiting& one : std::exchange(waiting_, {})) one.done(true);
}

void ReadyWaiters::arm() {
  timer_ = executor_.call_at(waiting_.front().deadline, [this] {
    while (!waiting_.empty() && waiting_.front().deadline <= executor_.now()) {
      Done done = std::move(waiting_.front().done);
      waiting_.pop_front();
      done(false);
    }
    if (!waiting_.empty()) arm();
  });
}

}  // namespace fanfare::gateway
