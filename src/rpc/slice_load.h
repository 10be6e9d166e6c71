#pragma once
// How long new work that is done in slices waits for its turn on a loop, behind the works that came before (slices.h). All services of a
// loop share one. The loop writes, any thread reads.

#include <atomic>
#include <cstdint>

#include "base/time.h"

namespace fanfare::rpc {

class SliceLoad {
 public:
  // A work waits behind those that came before it.
  void add_work() { in_order_.fetch_add(1, std::memory_order_relaxed); }
  // It does so no more, after so many slices: it is done, or takes turns with other long ones.
  void work_had(std::uint32_t slices, bool takes_turns);
  // One that took turns is done.
  void remove_turn_taker() { in_turns_.fetch_sub(1, std::memory_order_relaxed); }
  // Works that are gone, undone.
  void remove_works(std::uint32_t in_order, std::uint32_t in_turns);
  // The loop's thread used this much processor time from one slice to the end of the next.
  void note_turn(Duration used);

  std::uint32_t works() const {
    return in_order_.load(std::memory_order_relaxed) + in_turns_.load(std::memory_order_relaxed);
  }
  // Processor time of the loop until work that comes now has its turn. Zero: no work waits.
  Duration wait() const;

 private:
  static constexpr std::uint32_t kOneSlice = 16;  // the unit of slices_each_

  std::atomic<std::uint32_t> in_order_{0};
  std::atomic<std::uint32_t> in_turns_{0};
  // Both of the last ones, smoothed.
  std::atomic<std::uint32_t> slices_each_{kOneSlice};  // of a work in order
  std::atomic<std::int64_t> turn_ns_{0};
};

// The calling thread's processor time.
Duration thread_processor_time();

}  // namespace fanfare::rpc
