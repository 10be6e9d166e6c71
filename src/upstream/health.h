#pragma once
// Whether an endpoint is usable, computed from the ends of its calls. No I/O and no clock of its own.
//
//   available --failures in a row, or half of the recent calls, or "429 wait"--> aside
//   aside     --its time is over: one probe--> available, or aside again for twice as long
//
// An endpoint that fails again soon after it came back continues with its last backoff. So an endpoint that
// only answers probes does not flap.

#include <cstdint>

#include "base/random.h"
#include "base/time.h"
#include "upstream/failure.h"

namespace fanfare::upstream {

struct HealthLimits {
  std::uint32_t failures_in_row_max = 3;
  // Of the last 32 calls; at least 16 of them must have been seen.
  std::uint32_t failures_of_32_max = 16;
  Duration backoff_min = std::chrono::seconds(1);
  Duration backoff_max = std::chrono::seconds(60);
};

class Health {
 public:
  enum class Edge : std::uint8_t { none, failed, recovered };

  // `random` must outlive this object; it spreads the probes of many gateways over time.
  Health(HealthLimits limits, Random& random) : limits_(limits), random_(&random) {}

  // A call that began at `begun` was answered. The endpoint becomes available again if the call began after
  // it was put aside.
  Edge answered(Instant begun, Instant now);
  // A call ended in a failure. Counts only if the failure blames the endpoint.
  Edge failed(const Failure& failure, Instant now);
  // The probe at retry_at() failed: the endpoint stays aside for longer.
  void probe_failed(const Failure& failure, Instant now);

  bool available() const { return !aside_; }
  // When the next probe is due. Meaningful only while the endpoint is not available.
  Instant retry_at() const { return retry_at_; }

 private:
  void put_aside(const Failure& failure, Instant now);

  HealthLimits limits_;
  Random* random_;
  bool aside_ = false;
  std::uint32_t failures_in_row_ = 0;
  std::uint32_t recent_ = 0;  // one bit per call, 1 = failed, the newest in the lowest bit
  std::uint32_t recent_seen_ = 0;
  Duration backoff_{};  // the last one, without its random part
  Instant aside_since_{};
  Instant retry_at_{};
  Instant available_since_{};
};

}  // namespace fanfare::upstream
