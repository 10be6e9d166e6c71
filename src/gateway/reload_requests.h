#pragma once
// Reloads that other threads than the main one ask for. The main thread makes them, because it also handles the
// signals: it calls take() when it gets SIGHUP, reloads once, and reports the result to all who asked.

#include <mutex>
#include <string>
#include <vector>

#include "fanfare/unique_function.h"

namespace fanfare::gateway {

// One line for each entry; an error with its position: "file:line:column: what is wrong".
struct ReloadReport {
  bool applied = false;
  std::vector<std::string> changes;
  std::vector<std::string> needs_restart;
  std::vector<std::string> errors;
};

class ReloadRequests {
 public:
  using Done = UniqueFunction<void(const ReloadReport&)>;

  // Any thread. Sends SIGHUP to the process. `done` runs on the main thread, or is destroyed unrun when the process
  // ends before.
  void ask(Done done);
  // Those who asked since the last call.
  std::vector<Done> take();

 private:
  std::mutex mutex_;  // guards waiting_
  std::vector<Done> waiting_;
};

}  // namespace fanfare::gateway
