#include "base/guard.h"

#include <atomic>

#include "base/log.h"
#include "base/time.h"

namespace fanfare {
namespace {

std::atomic<std::uint64_t> times = 0;
std::atomic<Instant::rep> last_line{0};
constexpr Duration kLineEvery = std::chrono::seconds(1);

}  // namespace

void note_out_of_memory(std::string_view what) {
  times.fetch_add(1, std::memory_order_relaxed);
  const Instant::rep now = system_clock().now().time_since_epoch().count();
  Instant::rep last = last_line.load(std::memory_order_relaxed);
  if (last != 0 && now - last < kLineEvery.count()) return;
  if (!last_line.compare_exchange_strong(last, now, std::memory_order_relaxed)) return;
  try {
    log::error("out_of_memory", {{"what", what}, {"times", out_of_memory_count()}});
  } catch (const std::bad_alloc&) {  // not enough memory even for the log
  }
}

std::uint64_t out_of_memory_count() {
  return times.load(std::memory_order_relaxed);
}

}  // namespace fanfare
