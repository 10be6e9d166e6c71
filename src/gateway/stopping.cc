#include "gateway/stopping.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "session/close_hint.h"
#include "session/stop_spread.h"
#include "ws/close_code.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kRestarting = "the gateway is restarting";

}  // namespace

std::size_t Stopping::close_connections(session::Server& server, const StopTimes& times,
                                        const std::function<void()>& before_stop) {
  const Duration time = times.deadline - part_of_workers(times.deadline);
  const Instant until = system_clock().now() + time;
  const std::string reason = session::with_close_hint(kRestarting, times.comeback);
  bool is_hurried = false;
  {
    std::unique_lock lock(mutex_);
    closing_ = &server;
    if (time > Duration::zero() && !is_hurried_) {
      session::StopSpread::start(server, ws::close_code::service_restart, reason,
                                 std::min(times.spread, time), [this] { note_spread_done(); });
      changed_.wait_for(lock, time, [this] { return is_spread_done_ || is_hurried_; });
    }
    is_hurried = is_hurried_;
  }
  before_stop();
  const Duration left = is_hurried ? Duration::zero() : until - system_clock().now();
  const std::size_t dropped =
      server.stop(ws::close_code::service_restart, reason, std::max<Duration>(left, Duration::zero()));
  const std::scoped_lock lock(mutex_);
  closing_ = nullptr;
  return dropped;
}

void Stopping::hurry() {
  const std::scoped_lock lock(mutex_);
  is_hurried_ = true;
  changed_.notify_all();
  // If the server stops already, this makes its deadline earlier.
  if (closing_ != nullptr) {
    closing_->begin_stop(ws::close_code::service_restart, session::with_close_hint(kRestarting, kComebackMin),
                         Duration::zero());
  }
}

void Stopping::note_spread_done() {
  const std::scoped_lock lock(mutex_);
  is_spread_done_ = true;
  changed_.notify_all();
}

}  // namespace fanfare::gateway
