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

std::size_t close_connections(session::Server& server, const StopTimes& times,
                              const std::function<void()>& before_stop) {
  const Duration time = times.deadline - part_of_workers(times.deadline);
  const Instant until = system_clock().now() + time;
  const std::string reason = session::with_close_hint(kRestarting, comeback_after(times));
  if (time > Duration::zero()) {
    session::StopSpread::run(server, ws::close_code::service_restart, reason, std::min(times.spread, time),
                             time);
  }
  before_stop();
  return server.stop(ws::close_code::service_restart, reason,
                     std::max<Duration>(until - system_clock().now(), Duration::zero()));
}

}  // namespace fanfare::gateway
