#pragma once
// Protects the process (docs/defence.md): a thread that measures memory and delays, decides what new work is taken on,
// and closes the slowest clients when memory runs out. The loops only read its decisions (loop_guard.h).
//
//   every 50 ms (every 10 ms while there is too much to do)
//     memory used ------> MemoryMarks ---------> DefenceCells --> LoopGuard: 503, 1013, -32005
//     a task to each loop and upstream thread;       ^
//     its delay, and that of work in slices --> LoadControl

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/byte_budget.h"
#include "gateway/defend/cells.h"
#include "gateway/defend/loop_guard.h"
#include "gateway/defend/memory_usage.h"
#include "gateway/defend/plan.h"
#include "gateway/defend/shed.h"
#include "gateway/defend/slice_delay.h"
#include "gateway/defend/thread_delay.h"
#include "session/server.h"
#include "upstream/worker.h"

namespace fanfare::gateway {

class Defence {
 public:
  explicit Defence(const DefencePlan& plan, const KernelFiles& files = {});
  Defence(const Defence&) = delete;
  Defence& operator=(const Defence&) = delete;
  ~Defence() { stop(); }

  // The configured limit, or this part of the memory ceiling if that is less.
  std::size_t at_most(std::size_t configured, std::uint32_t percent) const;

  // How many threads talk to nodes. Then call add_loop() for each loop, in their order; then start().
  void set_workers(std::size_t count);
  // The loop's guard, valid as long as this object. Null: this gateway does not defend itself (DefencePlan::is_process).
  LoopGuard* add_loop();

  // Everything must outlive stop(). `held` and `unfinished` are for the log.
  struct Watched {
    session::Server& server;
    std::vector<upstream::Worker*> workers;
    const ByteBudget& held;
    const ByteBudget& unfinished;
  };
  void start(const Watched& watched);
  // New work is refused no more. Before the server and the workers stop.
  void stop();

  const DefenceCells& cells() const { return cells_; }
  // For tests: in place of the process's memory. Before start().
  void set_meter(std::function<std::uint64_t()> used) { used_ = std::move(used); }

 private:
  // Connections to close are being looked for, on all loops.
  struct Round {
    std::mutex mutex;  // guards what follows
    std::vector<Backlog> found;
    std::size_t missing = 0;  // loops that have not answered
  };

  void run(const Watched& watched);
  // Returns how long to wait for the next step.
  Duration step(const Watched& watched, Instant now);
  // Returns whether any thread is late.
  bool measure_delays(const Watched& watched, Instant now);
  void measure_memory(const Watched& watched, Instant now);
  void log_level(const Watched& watched, MemoryLevel before, std::uint64_t used) const;
  void shed_slowest(const Watched& watched, std::uint64_t used, Instant now);
  void begin_round(const Watched& watched, Instant now);
  void end_round(const Watched& watched, std::uint64_t used, Instant now);
  static void log_load(std::string_view thread, std::size_t index, bool was_overloaded, bool is_overloaded,
                       Duration delay);

  const DefencePlan plan_;
  const MemoryCeiling ceiling_;
  MemoryMarks marks_;
  std::function<std::uint64_t()> used_;
  DefenceCells cells_;
  std::deque<LoopGuard> guards_;

  // The thread's own.
  std::deque<ThreadDelay> loop_delays_;
  std::deque<ThreadDelay> worker_delays_;
  std::deque<SliceDelay> batch_delays_;
  std::shared_ptr<Round> round_;
  Instant round_began_{};
  Instant next_memory_{};
  Instant next_round_{};
  Instant next_trim_{};

  std::mutex mutex_;  // guards stopping_
  std::condition_variable woken_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fanfare::gateway
