#pragma once
// The common part of all loads: the turns from start to end with a report every second, the extra time for
// outstanding answers, and the common members of the result.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/time.h"
#include "bench/load.h"
#include "bench/transport.h"

namespace fanfare::app {

// User and system time of this process.
Duration process_cpu_time();

class BenchRun : public BenchTransport::Handler {
 protected:
  explicit BenchRun(BenchTransport& transport) : transport_(transport) {}

  // Starts the measurement of time and CPU time.
  void begin();
  // Runs turns until the time is over or no connection is left. Sets the result's elapsed time, and returns
  // the end.
  Instant turn_until_end(Duration duration, const ShowProgress& progress);
  // Runs turns until `is_done`, for at most one second. Returns the time of the end.
  template <typename IsDone>
  Instant turn_on(Instant now, IsDone is_done);

  // Called by turn_until_end(): whether any connection is left; sending what is due now; and how long a turn
  // may wait for bytes, at most until `until`.
  virtual bool can_go_on() const = 0;
  virtual void send_due(Instant /*now*/) {}
  virtual Duration wait_from(Instant now, Instant until) const { return until - now; }

  static std::uint64_t since(Instant at, Instant now) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>((now - at).count(), 0));
  }

  BenchTransport& transport_;
  Clock& clock_ = system_clock();
  Instant start_{};
  BenchResult result_;

 private:
  Duration cpu_before_{};
};

template <typename IsDone>
Instant BenchRun::turn_on(Instant now, IsDone is_done) {
  const Instant give_up = now + std::chrono::seconds(1);
  while (now < give_up && !is_done()) {
    transport_.turn(std::min<Duration>(give_up - now, std::chrono::milliseconds(10)), *this);
    now = clock_.now();
  }
  return now;
}

// Runs one load over the connections. The error means that the machine cannot run the load.
template <typename Run, typename Load>
std::expected<BenchResult, std::string> run_over(std::vector<Dialed>& connections, const Load& load,
                                                 const ShowProgress& progress) {
  const auto transport = BenchTransport::create(connections, load.loop);
  if (!transport) return std::unexpected(transport.error());
  Run run(**transport, load, connections);
  return run.run(connections, progress);
}

}  // namespace fanfare::app
