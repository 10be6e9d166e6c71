#include "rpc/slice_load.h"

#include <time.h>

namespace fanfare::rpc {

// One turn may have had much else to do: each counts for an eighth.
void SliceLoad::note_turn(Duration used) {
  const std::int64_t before = turn_ns_.load(std::memory_order_relaxed);
  turn_ns_.store(before == 0 ? used.count() : before + (used.count() - before) / 8,
                 std::memory_order_relaxed);
}

Duration thread_processor_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace fanfare::rpc
