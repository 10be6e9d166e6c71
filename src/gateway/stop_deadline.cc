#include "gateway/stop_deadline.h"

#include <cstdlib>

#include "base/log.h"

namespace fanfare::gateway {

StopDeadline::StopDeadline(Duration limit) : thread_([this, limit] { wait(limit); }) {}

StopDeadline::~StopDeadline() {
  {
    const std::scoped_lock lock(mutex_);
    is_over_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

void StopDeadline::wait(Duration limit) {
  std::unique_lock lock(mutex_);
  if (ended_.wait_for(lock, limit, [this] { return is_over_; })) return;
  log::error("stop_deadline_passed",
             {{"after_ms", std::chrono::duration_cast<std::chrono::milliseconds>(limit).count()}});
  std::_Exit(EXIT_FAILURE);
}

}  // namespace fanfare::gateway
