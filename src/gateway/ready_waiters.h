#pragma once
// Callbacks that need a followed chain: they run when the chain is followed, or fail after wait_max. On the
// worker's thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "base/time.h"
#include "fanfare/unique_function.h"
#include "upstream/executor.h"

namespace fanfare::gateway {

class ReadyWaiters {
 public:
  struct Limits {
    Duration wait_max = std::chrono::seconds(5);
    std::size_t waiters_max = 10'000;  // one more fails at once
  };
  using Done = UniqueFunction<void(bool ready)>;

  // `executor` must outlive this object. Callbacks that still wait at the end do not run.
  explicit ReadyWaiters(upstream::Executor& executor, Limits limits) : executor_(executor), limits_(limits) {}
  ~ReadyWaiters() { executor_.cancel(timer_); }
  ReadyWaiters(const ReadyWaiters&) = delete;
  ReadyWaiters& operator=(const ReadyWaiters&) = delete;

  // `done` runs once; at once if the chain is followed now.
  void wait(Done done);
  void set_ready(bool ready);

 private:
  struct Waiting {
    Instant deadline{};
    Done done;
  };
  void arm();

  upstream::Executor& executor_;
  Limits limits_;
  bool ready_ = false;
  std::deque<Waiting> waiting_;  // by deadline
  upstream::TimerId timer_;
};

}  // namespace fanfare::gateway
