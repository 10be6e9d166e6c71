#pragma once
// How long new work that is done in slices waits for its first turn on a loop: the works before it have one turn each. All services of a
// loop share one. The loop writes, any thread reads.

#include <atomic>
#include <cstdint>

#include "base/time.h"

namespace fanfare::rpc {

class SliceLoad {
 public:
  // A work waits for its next slice; or one that waited is done or gone.
  void add_work() { works_.fetch_add(1, std::memory_order_relaxed); }
  void remove_works(std::uint32_t count) { works_.fetch_sub(count, std::memory_order_relaxed); }
  // The loop's thread used this much processor time from one slice to the end of the next.
  void note_turn(Duration used);

  std::uint32_t works() const { return works_.load(std::memory_order_relaxed); }
  // Processor time of the loop until work that comes now has its turn. Zero: no work waits.
  Duration wait() const { return Duration(turn_ns_.load(std::memory_order_relaxed)) * works(); }

 private:
  std::atomic<std::uint32_t> works_{0};
  std::atomic<std::int64_t> turn_ns_{0};  // the last ones, smoothed
};

// The calling thread's processor time.
Duration thread_processor_time();

}  // namespace fanfare::rpc
