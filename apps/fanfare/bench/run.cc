#include "bench/run.h"

#include <sys/resource.h>

#include <chrono>

namespace fanfare::app {

using std::chrono::seconds;

Duration process_cpu_time() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

void BenchRun::begin() {
  cpu_before_ = process_cpu_time();
  start_ = clock_.now();
}

Instant BenchRun::turn_until_end(Duration duration, const ShowProgress& progress) {
  const Instant end = start_ + duration;
  Instant now = start_;
  Instant tick = start_ + seconds(1);
  while (now < end && can_go_on()) {
    send_due(now);
    transport_.turn(wait_from(now, std::min(end, tick)), *this);
    now = clock_.now();
    if (now < tick) continue;
    progress({.elapsed = now - start_, .messages = result_.messages, .latency = result_.latency});
    tick += seconds(1);
  }
  result_.loop = transport_.name();
  result_.elapsed = now - start_;
  result_.cpu = process_cpu_time() - cpu_before_;
  return now;
}

}  // namespace fanfare::app
