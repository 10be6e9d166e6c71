#include "gateway/stop_times.h"

#include <algorithm>

#include "upstream/worker.h"

namespace fanfare::gateway {

StopTimes stop_times(const ServePlan& plan, std::size_t connections, bool is_replaced) {
  Duration longest = plan.shutdown_timeout - part_of_workers(plan.shutdown_timeout);
  // A computed spread leaves time for clients that are slow to answer the Close.
  if (!plan.shutdown_spread) longest = longest * 3 / 4;
  if (is_replaced) longest = kReplacedSpreadMax;
  const Duration spread =
      closing_spread(plan.shutdown_spread, connections, plan.shutdown_closes_per_second, longest);
  return {.deadline = plan.shutdown_timeout + (is_replaced ? spread : Duration::zero()),
          .spread = spread,
          .is_replaced = is_replaced,
          .comeback = comeback_after(plan, spread, is_replaced)};
}

Duration part_of_workers(Duration deadline) {
  return std::min<Duration>(upstream::WorkerOptions{}.stop_limit, deadline / 4);
}

Duration spread_of(const ServePlan& plan, std::size_t connections) {
  return closing_spread(plan.shutdown_spread, connections, plan.shutdown_closes_per_second,
                        kReplacedSpreadMax);
}

Duration closing_spread(std::optional<Duration> fixed, std::size_t connections, std::size_t closes_per_second,
                        Duration longest) {
  if (fixed) return std::min(*fixed, longest);
  const std::chrono::duration<double> wanted(
      static_cast<double>(connections) / static_cast<double>(std::max<std::size_t>(1, closes_per_second)));
  if (wanted >= std::chrono::duration<double>(longest)) return longest;
  return std::chrono::duration_cast<Duration>(wanted);
}

std::chrono::seconds comeback_after(const ServePlan& plan, Duration spread, bool is_replaced) {
  using std::chrono::ceil, std::chrono::seconds;
  if (plan.shutdown_retry_after) return ceil<seconds>(*plan.shutdown_retry_after);
  if (is_replaced || plan.relay) return kComebackMin;
  return std::clamp(ceil<seconds>(spread), kComebackMin, kComebackMax);
}

}  // namespace fanfare::gateway
