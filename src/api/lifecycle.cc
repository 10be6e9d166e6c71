#include "api/lifecycle.h"

#include <algorithm>
#include <utility>

#include "api/handler_thread.h"
#include "session/server.h"
#include "session/stop_spread.h"

namespace fanfare::api {
namespace {

constexpr std::uint16_t kServiceRestart = 1012;
// Fits into every clock.
constexpr std::chrono::milliseconds kDeadlineMax = std::chrono::hours(24 * 365);

}  // namespace

bool Lifecycle::begin_start() {
  const std::scoped_lock lock(mutex_);
  if (state_ != State::idle) return false;
  state_ = State::starting;
  return true;
}

void Lifecycle::enter_running(session::Server& server, std::function<void()> before_end) {
  const std::scoped_lock lock(mutex_);
  server_ = &server;
  before_end_ = std::move(before_end);
  state_ = State::running;
}

void Lifecycle::end_start(bool has_failed) {
  if (has_failed) {
    const std::scoped_lock lock(mutex_);
    state_ = State::idle;
  }
  changed_.notify_all();
}

void Lifecycle::run() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return state_ != State::starting && state_ != State::running; });
  if (state_ == State::stopping) finish(lock);
}

std::size_t Lifecycle::stop(const StopOptions& options) {
  constexpr std::chrono::milliseconds kNone = std::chrono::milliseconds::zero();
  const auto patience = std::clamp(options.deadline, kNone, kDeadlineMax);
  const auto spread = std::clamp(options.spread, kNone, patience);
  bool is_first = false;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return state_ != State::starting; });
    if (state_ == State::idle || state_ == State::stopped) return 0;
    is_first = state_ == State::running && !spread_;
    const Instant deadline = system_clock().now() + patience;
    if (is_first && spread > kNone) {
      begin_spread(spread, deadline);
    } else if (spread_ && spread > kNone && deadline >= spread_->end) {
      spread_->deadline = std::min(spread_->deadline, deadline);
    } else {
      begin_stop(deadline);
    }
  }
  changed_.notify_all();
  // The thread of a handler must not wait: it may be one of the awaited threads, or they may wait for it.
  if (HandlerThread::is_here()) return 0;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return state_ != State::running; });
  const std::size_t dropped = finish(lock);
  return is_first ? dropped : 0;
}

void Lifecycle::wait_for_end() {
  std::unique_lock lock(mutex_);
  if (state_ == State::stopping) finish(lock);
}

// With the lock.
void Lifecycle::begin_spread(Duration spread, Instant deadline) {
  spread_ = {.end = system_clock().now() + spread, .deadline = deadline};
  // The loops end, and with them what they hold, before this object does.
  session::StopSpread::start(*server_, kServiceRestart, "", spread, [this] { end_spread(); });
}

void Lifecycle::end_spread() {
  {
    const std::scoped_lock lock(mutex_);
    if (state_ != State::running) return;
    begin_stop(spread_->deadline);
  }
  changed_.notify_all();
}

// With the lock.
void Lifecycle::begin_stop(Instant deadline) {
  if (spread_) deadline = std::min(deadline, spread_->deadline);
  spread_.reset();
  const std::unique_lock alone(publishing_);
  // Loops are notified before the state changes, so that threads which see `stopping` can rely on that.
  server_->begin_stop(kServiceRestart, "",
                      std::max<Duration>(deadline - system_clock().now(), Duration::zero()));
  state_ = State::stopping;
}

std::size_t Lifecycle::finish(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  before_end_();
  const std::size_t dropped = server_->finish_stop();
  lock.lock();
  state_ = State::stopped;
  changed_.notify_all();
  return dropped;
}

}  // namespace fanfare::api
