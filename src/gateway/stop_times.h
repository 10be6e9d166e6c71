#pragma once
// How long the end of a gateway takes: the time over which its connections are closed, so that their clients do not all connect to
// another server at once, and what those clients are told.

#include <chrono>
#include <cstddef>
#include <optional>

#include "base/time.h"
#include "gateway/serve_plan.h"

namespace fanfare::gateway {

inline constexpr std::chrono::seconds kComebackMin{1};
inline constexpr std::chrono::seconds kComebackMax{30};

struct StopTimes {
  Duration deadline{};
  Duration spread{};
  bool is_replaced = false;                      // another process has taken over, and accepts connections
  std::chrono::seconds comeback = kComebackMin;  // comeback_after()
};

// Within the plan's shutdown_timeout. If the process is replaced, nobody waits for the stop, so it takes as long as the number of
// connections needs, at most kReplacedSpreadMax.
StopTimes stop_times(const ServePlan& plan, std::size_t connections, bool is_replaced);
inline constexpr Duration kReplacedSpreadMax = std::chrono::hours(1);

// The part of a stop's deadline for the shutdown after the clients.
Duration part_of_workers(Duration deadline);

// Of connections that are closed while the gateway goes on.
Duration spread_of(const ServePlan& plan, std::size_t connections);
// `fixed`: the configured time. Without it, as long as it takes to close `closes_per_second` of them. At most `longest`, whatever
// that does to the rate.
Duration closing_spread(std::optional<Duration> fixed, std::size_t connections, std::size_t closes_per_second,
                        Duration longest);

// When clients are asked to come back: soon if somebody else accepts connections already, which is another process, or the other
// instances of a fleet (a plan with a relay); otherwise when this process has ended. It is the same for all of them, so those who are closed
// evenly also come back evenly. A process that starts after a longer stop is found by the clients' own attempts.
std::chrono::seconds comeback_after(const ServePlan& plan, Duration spread, bool is_replaced);

}  // namespace fanfare::gateway
