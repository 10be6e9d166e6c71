#include "api/option_check.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "base/time.h"
#include "net/busy_poll.h"
#include "net/tls_protocol.h"

namespace fanfare::api {
namespace {

using std::chrono::milliseconds;
using WrongOption = std::optional<std::string>;

enum class Zero : std::uint8_t { allowed, refused };

// Visits every duration and every size of the options, with its name. The options may be const.

template <typename Limits_, typename Visit>
void visit_limits_durations(Limits_& limits, Visit&& visit) {
  visit("limits.session_idle_timeout", limits.session_idle_timeout, Zero::allowed);
  visit("limits.handshake_timeout", limits.handshake_timeout, Zero::refused);
  visit("limits.request_timeout", limits.request_timeout, Zero::refused);
  visit("limits.idle_timeout", limits.idle_timeout, Zero::refused);
  visit("limits.close_timeout", limits.close_timeout, Zero::allowed);
}

template <typename Heartbeat_, typename Visit>
void visit_heartbeat_durations(Heartbeat_& heartbeat, Visit&& visit) {
  visit("heartbeat.ping_interval", heartbeat.ping_interval, Zero::allowed);
  visit("heartbeat.pong_timeout", heartbeat.pong_timeout, Zero::allowed);
}

template <typename Options, typename Visit>
void visit_client_durations(Options& options, Visit&& visit) {
  visit("connect_timeout", options.connect_timeout, Zero::refused);
  visit("handshake_timeout", options.handshake_timeout, Zero::refused);
  visit("reconnect.wait_min", options.reconnect.wait_min, Zero::refused);
  visit("reconnect.wait_max", options.reconnect.wait_max, Zero::refused);
}

template <typename Limits_, typename Visit>
void visit_limits_sizes(Limits_& limits, Visit&& visit) {
  visit("limits.message_bytes_max", limits.message_bytes_max, Zero::refused);
  visit("limits.outbox_bytes_max", limits.outbox_bytes_max, Zero::refused);
  visit("limits.outbox_bytes_high", limits.outbox_bytes_high, Zero::allowed);
  visit("limits.topics_per_session_max", limits.topics_per_session_max, Zero::allowed);
  visit("limits.timers_per_session_max", limits.timers_per_session_max, Zero::allowed);
  visit("limits.timers_max", limits.timers_max, Zero::allowed);
  visit("limits.mailbox_tasks_max", limits.mailbox_tasks_max, Zero::refused);
  visit("limits.mailbox_bytes_max", limits.mailbox_bytes_max, Zero::refused);
  visit("limits.connections_per_loop_max", limits.connections_per_loop_max, Zero::refused);
  visit("limits.connections_max", limits.connections_max, Zero::allowed);
  visit("limits.request_head_bytes_max", limits.request_head_bytes_max, Zero::refused);
  visit("limits.request_header_count_max", limits.request_header_count_max, Zero::refused);
  visit("limits.request_body_bytes_max", limits.request_body_bytes_max, Zero::allowed);
  visit("limits.response_outbox_bytes_max", limits.response_outbox_bytes_max, Zero::refused);
}

// Keeps the first error.
class Finder {
 public:
  void operator()(std::string_view name, const milliseconds& value, Zero zero) {
    if (value < milliseconds::zero()) keep(name, zero == Zero::allowed ? "not below zero" : "more than zero");
    if (value == milliseconds::zero() && zero == Zero::refused) keep(name, "more than zero");
  }
  void operator()(std::string_view name, const std::size_t& value, Zero zero) {
    if (value == 0 && zero == Zero::refused) keep(name, "at least 1");
  }
  void threads(std::size_t value) {
    if (value > kThreadsMax) keep("threads", "at most " + std::to_string(kThreadsMax));
  }
  WrongOption first() const { return first_; }

 private:
  void keep(std::string_view name, std::string_view range) {
    if (!first_) first_ = std::string(name).append(": ").append(range);
  }
  WrongOption first_;
};

struct Saturate {
  void operator()(std::string_view, milliseconds& value, Zero) const {
    value = std::chrono::duration_cast<milliseconds>(saturating_duration(value));
  }
  void operator()(std::string_view, std::size_t& value, Zero) const { value = std::min(value, kSizeMax); }
};

WrongOption find_wrong(const Limits& limits) {
  Finder finder;
  visit_limits_sizes(limits, finder);
  visit_limits_durations(limits, finder);
  if (finder.first()) return finder.first();
  if (limits.fragments_max == 0) return "limits.fragments_max: at least 1";
  if (limits.frames_per_turn_max == 0) return "limits.frames_per_turn_max: at least 1";
  if (limits.bytes_per_turn_max == 0) return "limits.bytes_per_turn_max: at least 1";
  if (limits.requests_per_turn_max == 0) return "limits.requests_per_turn_max: at least 1";
  if (limits.outbox_bytes_high > limits.outbox_bytes_max) {
    return "limits.outbox_bytes_high: at most limits.outbox_bytes_max";
  }
  return std::nullopt;
}

WrongOption find_wrong(const Deflate& deflate) {
  const auto window_fits = [](int bits) { return bits >= 9 && bits <= 15; };
  if (deflate.level < 1 || deflate.level > 9) return "deflate.level: 1 to 9";
  if (!window_fits(deflate.server_max_window_bits)) return "deflate.server_max_window_bits: 9 to 15";
  if (!window_fits(deflate.client_max_window_bits)) return "deflate.client_max_window_bits: 9 to 15";
  return std::nullopt;
}

WrongOption find_wrong(const Reconnect& reconnect) {
  if (reconnect.wait_max < reconnect.wait_min) return "reconnect.wait_max: at least reconnect.wait_min";
  // Written so that NaN is rejected, too.
  if (!(reconnect.multiplier >= 1)) return "reconnect.multiplier: at least 1";
  return std::nullopt;
}

WrongOption find_wrong(const Heartbeat& heartbeat) {
  Finder finder;
  visit_heartbeat_durations(heartbeat, finder);
  if (finder.first()) return finder.first();
  const bool pings = heartbeat.ping_interval > milliseconds::zero();
  if (pings && heartbeat.pong_timeout == milliseconds::zero())
    return "heartbeat.pong_timeout: more than zero";
  return std::nullopt;
}

// Checks Tls or ClientTls. Files are read later.
template <typename Tls_>
WrongOption find_wrong_tls(const Tls_& tls) {
  if (auto usable = net::check_protocol({.ciphers = tls.ciphers}); !usable) {
    return "tls.ciphers: " + usable.error();
  }
  if (auto usable = net::check_protocol({.cipher_suites = tls.cipher_suites}); !usable) {
    return "tls.cipher_suites: " + usable.error();
  }
  return std::nullopt;
}

template <typename Options>
WrongOption find_wrong_in_both(const Options& options) {
  if (auto wrong = find_wrong(options.limits)) return wrong;
  if (auto wrong = find_wrong(options.heartbeat)) return wrong;
  return find_wrong(options.deflate);
}

template <typename Options>
void saturate_both(Options& options) {
  visit_limits_durations(options.limits, Saturate());
  visit_limits_sizes(options.limits, Saturate());
  visit_heartbeat_durations(options.heartbeat, Saturate());
  options.deflate = saturated(options.deflate);
}

}  // namespace

WrongOption find_wrong_option(const ServerOptions& options) {
  Finder finder;
  finder.threads(options.threads);
  if (finder.first()) return finder.first();
  if (options.busy_poll < std::chrono::microseconds::zero() || options.busy_poll > net::kBusyPollMax)
    return "busy_poll: 0 to 1 ms";
  if (options.unix_mode && *options.unix_mode > kUnixModeMax) return "unix_mode: 0 to 0777";
  if (options.tls) {
    if (auto wrong = find_wrong_tls(*options.tls)) return wrong;
  }
  return find_wrong_in_both(options);
}

WrongOption find_wrong_option(const ClientOptions& options) {
  if (auto wrong = find_wrong_in_both(options)) return wrong;
  Finder finder;
  visit_client_durations(options, finder);
  if (finder.first()) return finder.first();
  if (auto wrong = find_wrong_tls(options.tls)) return wrong;
  return find_wrong(options.reconnect);
}

WrongOption find_wrong_option(const ChainOptions& options) {
  Finder finder;
  finder.threads(options.threads);
  finder("connections_max", options.connections_max, Zero::refused);
  if (finder.first()) return finder.first();
  if (options.http_port != 0 && options.http_port == options.websocket_port) {
    return "websocket_port: another one than http_port";
  }
  if (options.window_blocks < 1 || options.window_blocks > kWindowBlocksMax) {
    return "window_blocks: 1 to " + std::to_string(kWindowBlocksMax);
  }
  if (options.tls) {
    if (auto wrong = find_wrong_tls(*options.tls)) return wrong;
  }
  return find_wrong(options.heartbeat);
}

WrongOption find_wrong_option(const Deflate& deflate) {
  return find_wrong(deflate);
}

Deflate saturated(Deflate deflate) {
  deflate.context_bytes_max = std::min(deflate.context_bytes_max, kSizeMax);
  deflate.threshold_bytes = std::min(deflate.threshold_bytes, kSizeMax);
  return deflate;
}

ServerOptions saturated(ServerOptions options) {
  saturate_both(options);
  return options;
}

ClientOptions saturated(ClientOptions options) {
  saturate_both(options);
  visit_client_durations(options, Saturate());
  options.queue_bytes_max = std::min(options.queue_bytes_max, kSizeMax);
  return options;
}

ChainOptions saturated(ChainOptions options) {
  visit_heartbeat_durations(options.heartbeat, Saturate());
  options.connections_max = std::min(options.connections_max, kSizeMax);
  // The gateway counts the subscriptions of a connection in 32 bits.
  options.subscriptions_per_connection_max =
      std::min<std::size_t>(options.subscriptions_per_connection_max, UINT32_MAX);
  return options;
}

}  // namespace fanfare::api
