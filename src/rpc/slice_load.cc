#include "rpc/slice_load.h"

#include <time.h>

namespace fanfare::rpc {

// One turn may have had much else to do: each counts for an eighth.
void SliceLoad::note_turn(Duration used) {
  const std::int64_t before = turn_ns_.load(std::memory_order_relaxed);
  turn_ns_.store(before == 0 ? used.count() : before + (used.count() - before) / 8,
                 std::memory_order_relaxed);
}

void SliceLoad::work_had(std::uint32_t slices, bool takes_turns) {
  in_order_.fetch_sub(1, std::memory_order_relaxed);
  if (takes_turns) in_turns_.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t before = slices_each_.load(std::memory_order_relaxed);
  slices_each_.store((before * 7 + slices * kOneSlice) / 8, std::memory_order_relaxed);
}

void SliceLoad::remove_works(std::uint32_t in_order, std::uint32_t in_turns) {
  in_order_.fetch_sub(in_order, std::memory_order_relaxed);
  in_turns_.fetch_sub(in_turns, std::memory_order_relaxed);
}

// Those in order are done one after the other. While there are both kinds, each kind has every other turn.
Duration SliceLoad::wait() const {
  if (works() == 0) return Duration::zero();
  const std::int64_t turn = turn_ns_.load(std::memory_order_relaxed);
  const std::int64_t in_turns = in_turns_.load(std::memory_order_relaxed);
  const std::int64_t in_order = in_order_.load(std::memory_order_relaxed);
  const std::int64_t slices = in_order * slices_each_.load(std::memory_order_relaxed) / kOneSlice;
  return Duration(turn * (slices * (in_turns > 0 ? 2 : 1) + in_turns));
}

Duration thread_processor_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace fanfare::rpc
