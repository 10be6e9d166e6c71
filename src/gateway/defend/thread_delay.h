#pragma once
// How much work of a thread lies ahead of new work: a task is posted to it, behind everything that waits already, and the
// processor time that the thread uses until it runs is its delay. Time in which the thread waits for a processor does not
// count: a machine that is busy with other programs is no reason to refuse work. One task at a time.

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "fanfare/unique_function.h"
#include "gateway/defend/cells.h"
#include "gateway/defend/load_control.h"

namespace fanfare::gateway {

// Processor time of threads of this process; others in tests.
struct ThreadTimes {
  pid_t (*caller)();          // the calling thread's id
  Duration (*of)(pid_t tid);  // zero: there is no such thread
};
const ThreadTimes& system_thread_times();

class ThreadDelay {
 public:
  using Task = UniqueFunction<void()>;

  // The cells and times must outlive it, and the times its tasks.
  ThreadDelay(const OverloadPlan& plan, LoadCells& cells, const ThreadTimes& times = system_thread_times())
      : target_(plan.delay_target), control_(plan), cells_(cells), times_(times) {}

  // Looks at the last task. Returns the next one, to be posted to the thread; empty: the last one waits still.
  Task measure(Instant now);
  bool is_overloaded() const { return control_.is_overloaded(); }
  // Whether it should be measured often.
  bool is_late() const { return is_overloaded() || last_ > target_ / 2; }
  Duration last() const { return last_; }

 private:
  struct Probe {
    Duration used_before{};         // by the thread, when the task was posted
    std::atomic<pid_t> ran_on = 0;  // zero: it has not run
    Duration used{};                // when it ran; valid from then on
  };

  void note(Duration delay, Instant now, LoadControl::Task task);

  const Duration target_;
  LoadControl control_;
  LoadCells& cells_;
  const ThreadTimes& times_;
  pid_t thread_ = 0;  // zero: no task has run yet
  std::shared_ptr<Probe> probe_;
  Duration last_{};
};

}  // namespace fanfare::gateway
