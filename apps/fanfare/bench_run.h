#pragma once
// What the runs of all loads share: the turns from the beginning to the end with a report each second, the
// time after the end for what is still on its way, and what every result tells.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/time.h"
#include "bench_load.h"
#include "bench_transport.h"

namespace fanfare::app {

class BenchRun : public BenchTransport::Handler {
 protected:
  explicit BenchRun(BenchTransport& transport) : transport_(transport) {}

  // Time and CPU time count from here on.
  void begin();
  // Turns until the time is over or nobody is left. Then the result has its elapsed time, and this is when.
  Instant turn_until_end(Duration duration, const ShowProgress& progress);
  // Turns for a second at most, until `is_done`. Returns when it was.
  template <typename IsDone>
  Instant turn_on(Instant now, IsDone is_done);

  // What a load does in turn_until_end(): whether there is anybody left to load; what is due now; and how
  // long a turn may wait for bytes, at most until `until`.
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

// Runs one load over the connections. The error: the machine cannot do it.
template <typename Run, typename Load>
std::expected<BenchResult, std::string> run_over(std::vector<Dialed>& connections, const Load& load,
                                                 const ShowProgress& progress) {
  const auto transport = BenchTransport::create(connections, load.loop);
  if (!transport) return std::unexpected(transport.error());
  Run run(**transport, load, connections);
  return run.run(connections, progress);
}

}  // namespace fanfare::app
