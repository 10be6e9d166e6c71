#pragma once
// The last resort for a process that stops: after the deadline it ends at once, whatever its threads are
// doing.
//
//   StopDeadline deadline(plan.shutdown_timeout + kStopGrace);   // begins to run
//   gateway.stop();                                              // orderly; should be done long before
//
// Every part of the shutdown has its own time limit. This covers unexpected cases: a system call that does
// not return, a task that never ends.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/time.h"

namespace fanfare::gateway {

// The time that the process may take beyond its shutdownTimeout: the end of the threads that talk to nodes, and then that of the access
// logs and the exporters of traces, all side by side (LineWriter::kStopLimit, SpanExporter::kStopLimit; a request to a collector
// notices within a further second that it is to end).
inline constexpr Duration kStopGrace = std::chrono::seconds(6);

class StopDeadline {
 public:
  // After `limit` the process ends with exit code 1, and the log says so; no destructor runs.
  explicit StopDeadline(Duration limit);
  // In time: the process continues normally.
  ~StopDeadline();
  StopDeadline(const StopDeadline&) = delete;
  StopDeadline& operator=(const StopDeadline&) = delete;

 private:
  void wait(Duration limit);

  std::mutex mutex_;  // guards is_over_
  std::condition_variable ended_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace fanfare::gateway
