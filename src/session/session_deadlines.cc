// A session's time-dependent behaviour: heartbeat, idle timeout, and the end of closing.

#include <algorithm>

#include "session/milliseconds.h"
#include "session/session.h"
#include "session/session_table.h"

namespace fanfare::session {

void Session::check_open(std::uint32_t now) {
  const SessionSettings& settings = endpoint_->settings();
  if (had_message_) {
    idle_since_ms_ = now;
    if (!awaiting_pong_) forget_drain();
  }
  had_message_ = false;
  if (settings.idle_timeout > Duration::zero() &&
      has_waited(now, idle_since_ms_, settings.idle_timeout, settings.drain_bytes_per_second_min)) {
    connection_.close(ws::close_code::policy_violation, "no message for too long", transport());
    return begin_closing(Cause::idle_timeout);
  }
  if (ends_slow_message(now, paused_)) return;
  if (awaiting_pong_) note_ping_in_drain();
  if (paused_ && (transport().is_end_unread() || end_waits_)) {
    if (now - deadline_from_ms_ < to_ms(settings.close_timeout)) return;
    end(Cause::connection_lost, ws::close_code::abnormal);
    return close();
  }
  if (settings.ping_interval > Duration::zero()) check_heartbeat(now, settings);
}

void Session::check_heartbeat(std::uint32_t now, const SessionSettings& settings) {
  if (!awaiting_pong_) {
    if (now - deadline_from_ms_ < to_ms(settings.ping_interval)) return;
    deadline_from_ms_ = now;
    awaiting_pong_ = true;
    renew_drain();
    connection_.ping({}, transport());
    return;
  }
  // A ping behind other data cannot be answered yet, so a peer that accepts the data is alive.
  if (!has_waited(now, deadline_from_ms_, settings.pong_timeout, settings.drain_bytes_per_second_min)) return;
  // The pongs of a session that is not read cannot be seen. That its system has accepted the ping counts as a
  // pong.
  if (paused_ && transport().send_progress().is_complete) {
    awaiting_pong_ = false;
    return;
  }
  end(Cause::pong_timeout, ws::close_code::abnormal);
  close();
}

void Session::check_time(std::uint32_t now) {
  if (is_closed()) return;
  if (phase_ == Phase::open) return check_open(now);
  const SessionSettings& settings = endpoint_->settings();
  if (!has_waited(now, deadline_from_ms_, settings.close_timeout, settings.drain_bytes_per_second_min))
    return;
  // RFC6455§7.1.7: the peer had time to answer.
  if (phase_ == Phase::closing) end(cause_, ws::close_code::abnormal);
  close();
}

}  // namespace fanfare::session
