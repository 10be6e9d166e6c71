#include "api/option_check.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace fanfare::api {
namespace {

using Wrong = std::optional<std::string>;

struct NamedDuration {
  std::string_view name;
  std::chrono::milliseconds value;
};

template <std::size_t Size>
Wrong find_negative(const std::array<NamedDuration, Size>& durations) {
  const auto negative = [](const NamedDuration& it) { return it.value < std::chrono::milliseconds::zero(); };
  const auto found = std::ranges::find_if(durations, negative);
  if (found == durations.end()) return std::nullopt;
  return std::string(found->name) + ": not below zero";
}

Wrong find_wrong(const Limits& limits) {
  if (limits.message_bytes_max == 0) return "limits.message_bytes_max: at least 1";
  if (limits.fragments_max == 0) return "limits.fragments_max: at least 1";
  if (limits.frames_per_turn_max == 0 || limits.bytes_per_turn_max == 0 ||
      limits.requests_per_turn_max == 0) {
    return "limits.frames_, bytes_ and requests_per_turn_max: at least 1";
  }
  if (limits.mailbox_tasks_max == 0 || limits.mailbox_bytes_max == 0) {
    return "limits.mailbox_tasks_max and mailbox_bytes_max: at least 1";
  }
  if (limits.outbox_bytes_high > limits.outbox_bytes_max) {
    return "limits.outbox_bytes_high: at most limits.outbox_bytes_max";
  }
  return find_negative(std::array{NamedDuration{"limits.session_idle_timeout", limits.session_idle_timeout},
                                  NamedDuration{"limits.handshake_timeout", limits.handshake_timeout},
                                  NamedDuration{"limits.request_timeout", limits.request_timeout},
                                  NamedDuration{"limits.idle_timeout", limits.idle_timeout},
                                  NamedDuration{"limits.close_timeout", limits.close_timeout}});
}

Wrong find_wrong(const Heartbeat& heartbeat) {
  return find_negative(std::array{NamedDuration{"heartbeat.ping_interval", heartbeat.ping_interval},
                                  NamedDuration{"heartbeat.pong_timeout", heartbeat.pong_timeout}});
}

Wrong find_wrong(const Deflate& deflate) {
  const auto window_fits = [](int bits) { return bits >= 9 && bits <= 15; };
  if (deflate.level < 1 || deflate.level > 9) return "deflate.level: 1 to 9";
  if (!window_fits(deflate.server_max_window_bits) || !window_fits(deflate.client_max_window_bits)) {
    return "deflate.*_max_window_bits: 9 to 15";
  }
  return std::nullopt;
}

Wrong find_wrong(const Reconnect& reconnect) {
  if (reconnect.wait_min <= std::chrono::milliseconds::zero()) return "reconnect.wait_min: more than zero";
  if (reconnect.wait_max < reconnect.wait_min) return "reconnect.wait_max: at least reconnect.wait_min";
  // Not a number is not at least 1 either.
  if (!(reconnect.multiplier >= 1)) return "reconnect.multiplier: at least 1";
  return std::nullopt;
}

template <typename Options>
Wrong find_wrong_in_both(const Options& options) {
  if (auto wrong = find_wrong(options.limits)) return wrong;
  if (auto wrong = find_wrong(options.heartbeat)) return wrong;
  return find_wrong(options.deflate);
}

}  // namespace

Wrong find_wrong_option(const ServerOptions& options) {
  return find_wrong_in_both(options);
}

Wrong find_wrong_option(const ClientOptions& options) {
  if (auto wrong = find_wrong_in_both(options)) return wrong;
  if (auto wrong = find_wrong(options.reconnect)) return wrong;
  return find_negative(std::array{NamedDuration{"connect_timeout", options.connect_timeout},
                                  NamedDuration{"handshake_timeout", options.handshake_timeout}});
}

}  // namespace fanfare::api
