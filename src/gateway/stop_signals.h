#pragma once
// SIGTERM and SIGINT while the gateway stops. The first one hurries the stop: connections are cut, but the lines of the
// access log are still written and the files of Unix sockets removed. A second one, or a stop that takes longer than
// kHurriedStopMax, ends the process at once.

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "base/time.h"

namespace fanfare::gateway {

// A hurried stop ends within the workers' limit (upstream::WorkerOptions::stop_limit) and that of the access log
// (LineWriter::kStopLimit), unless something is stuck.
inline constexpr Duration kHurriedStopMax = std::chrono::seconds(3);

class StopSignals {
 public:
  // Both signals must be blocked in every thread. `hurry` is called at most once, on another thread.
  explicit StopSignals(std::function<void()> hurry, Duration hurried_max = kHurriedStopMax);
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  // `hurry` is not called any more, nor is it running.
  void forget();
  // The signal that hurried the stop, or 0.
  int received() const { return received_; }

 private:
  void run();
  int wait(Instant until) const;

  const Duration hurried_max_;
  std::mutex mutex_;  // guards hurry_, and is held during its call
  std::function<void()> hurry_;
  std::atomic<int> received_ = 0;
  std::atomic<bool> is_over_ = false;
  std::thread thread_;  // last: it uses everything above
};

// As if the signal had its default effect, so that the parent sees what ended the process.
[[noreturn]] void end_by_signal(int signal);

}  // namespace fanfare::gateway
