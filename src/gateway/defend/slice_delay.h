#pragma once
// How long a new long batch waits for its first slice on one loop, and which share of such batches the loop takes on. What a task
// measures (thread_delay.h) does not include it: batches take turns with all other work. No thread, no clock.

#include "gateway/defend/cells.h"
#include "gateway/defend/load_control.h"

namespace fanfare::gateway {

class SliceDelay {
 public:
  // The cells and the load must outlive it.
  SliceDelay(const OverloadPlan& plan, LoadCells& cells, const rpc::SliceLoad& load)
      : target_(plan.delay_target), control_(plan), cells_(cells), load_(load) {}

  void measure(Instant now) {
    last_ = load_.wait();
    control_.note(last_, now);
    cells_.admitted.store(control_.admitted(), std::memory_order_relaxed);
    cells_.is_wary.store(control_.is_wary(), std::memory_order_relaxed);
    cells_.delay_ns.store(last_.count(), std::memory_order_relaxed);
  }
  bool is_overloaded() const { return control_.is_overloaded(); }
  // Whether it should be measured often.
  bool is_late() const { return is_overloaded() || last_ > target_ / 2; }
  Duration last() const { return last_; }

 private:
  const Duration target_;
  LoadControl control_;
  LoadCells& cells_;
  const rpc::SliceLoad& load_;
  Duration last_{};
};

}  // namespace fanfare::gateway
