#pragma once
// What other threads ask the main thread to do. It waits for signals and does what they mean, so asking is a signal, too: when the
// main thread gets it, it calls take(), does the work once, and reports the result to all who asked.

#include <unistd.h>

#include <csignal>
#include <mutex>
#include <utility>
#include <vector>

#include "fanfare/unique_function.h"

namespace fanfare::gateway {

template <typename Report, int signal_number>
class MainThreadRequests {
 public:
  using Done = UniqueFunction<void(const Report&)>;

  // Any thread. Sends the signal to this process. `done` runs on the main thread, or is destroyed unrun when the process ends before.
  void ask(Done done) {
    {
      const std::scoped_lock lock(mutex_);
      waiting_.push_back(std::move(done));
    }
    ::kill(::getpid(), signal_number);
  }
  // Those who asked since the last call.
  std::vector<Done> take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(waiting_, {});
  }

 private:
  std::mutex mutex_;  // guards waiting_
  std::vector<Done> waiting_;
};

}  // namespace fanfare::gateway
