#pragma once
// What the relay writes to the log about a broker that cannot be used, or does not store something. What happens again with each
// attempt or event is said once, and again after a while. One thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/time.h"
#include "fanfare/nats.h"
#include "relay/link_problem.h"

namespace fanfare::relay {

class RelayLog {
 public:
  // The options outlive this.
  explicit RelayLog(const NatsOptions& options) : options_(options) {}

  void connected();
  // The connection is ended for a better one.
  void connects_again(std::string_view reason);
  void problem(const LinkProblem& problem, Instant now);
  // The broker refuses to store what others of this process need.
  void refusal(const std::string& reason, Instant now, std::string_view what = "who polls");
  void event_refused(const std::string& topic, std::string_view reason, Instant now);
  // `has_message`: the broker can be asked for the event, and does not deliver it.
  static void stands_still(std::string_view topic, std::string_view stream, std::uint64_t sequence,
                           bool has_message);
  // Somebody else has published on a subject of the topic that has no epoch.
  static void foreign(std::string_view topic, std::string_view subject, std::uint64_t sequence);
  void event_too_big(const std::string& topic, std::size_t bytes, std::size_t bytes_max, Instant now);

  static constexpr Duration kSaidEvery = std::chrono::minutes(10);
  // What differs each time must not fill the memory.
  static constexpr std::size_t kRememberedMax = 256;

 private:
  bool may_say(const std::string& what, Instant now);

  const NatsOptions& options_;
  std::map<std::string, Instant> said_;
};

}  // namespace fanfare::relay
