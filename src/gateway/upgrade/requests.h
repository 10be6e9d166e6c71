#pragma once
// Upgrades that other threads than the main one ask for. The main thread makes them, because it also handles the signals: it
// calls take() when it gets SIGUSR2, and reports the result to all who asked.

#include <mutex>
#include <string>
#include <vector>

#include "fanfare/unique_function.h"

namespace fanfare::gateway {

struct UpgradeReport {
  int pid = 0;          // of the process that has taken over; 0: none has
  std::string problem;  // then: why
};

class UpgradeRequests {
 public:
  using Done = UniqueFunction<void(const UpgradeReport&)>;

  // Any thread. Sends SIGUSR2 to the process. `done` runs on the main thread, or is destroyed unrun when the process ends before.
  void ask(Done done);
  // Those who asked since the last call.
  std::vector<Done> take();

 private:
  std::mutex mutex_;  // guards waiting_
  std::vector<Done> waiting_;
};

}  // namespace fanfare::gateway
