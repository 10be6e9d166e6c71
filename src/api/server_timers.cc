#include "api/server_timers.h"

#include <algorithm>
#include <utility>

#include "api/border.h"
#include "api/server_impl.h"

namespace fanfare::api {
namespace {

Duration not_negative(std::chrono::milliseconds time) {
  return std::max(saturating_duration(time), Duration::zero());
}

}  // namespace

ServerTimer ServerTimers::add(std::chrono::milliseconds delay, std::chrono::milliseconds interval,
                              UniqueFunction<void()> handler, TimerOptions options) {
  if (handler == nullptr) return {};
  Timer timer{.handler = std::move(handler),
              .since = system_clock().now(),
              .delay = not_negative(delay),
              .interval = not_negative(interval),
              .loop = options.loop};
  // Declared before the lock, so that a refused handler is destroyed without it.
  const std::scoped_lock lock(mutex_);
  if (timers_.size() >= impl_.options().limits.timers_max) return {};
  const std::uint64_t number = ++last_number_;
  if (started_) {
    timer.loop %= impl_.loop_count();
    if (!impl_.offer_to_loop(timer.loop, taking(number))) return {};
  }
  timers_.emplace(number, std::move(timer));
  return {number};
}

UniqueFunction<void(LoopContext&)> ServerTimers::taking(std::uint64_t number) {
  return [this, number](LoopContext& here) { take(here, number); };
}

void ServerTimers::start() {
  const std::scoped_lock lock(mutex_);
  started_ = true;
  const Instant now = system_clock().now();
  for (auto& [number, timer] : timers_) {
    timer.since = now;
    timer.loop %= impl_.loop_count();
    impl_.post_to_loop(timer.loop, taking(number));
  }
}

void ServerTimers::take(LoopContext& here, std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  const auto found = timers_.find(number);
  if (found == timers_.end()) return;  // cancelled meanwhile
  Timer& timer = found->second;
  server::LoopContext& loop = here.shared();
  const auto task = [this, number] { run(number); };
  timer.running = timer.interval > Duration::zero()
                      ? loop.call_every(timer.interval, task)
                      : loop.call_after(saturating_add(timer.since, timer.delay) - loop.now(), task);
}

void ServerTimers::run(std::uint64_t number) {
  UniqueFunction<void()> handler;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = timers_.find(number);
    // After the beginning of a stop no handler starts.
    if (found == timers_.end() || !impl_.is_running()) return;
    handler = std::move(found->second.handler);
    if (found->second.interval == Duration::zero()) timers_.erase(found);
  }
  call_handler("timer", [&] { handler(); });
  const std::scoped_lock lock(mutex_);
  const auto still = timers_.find(number);
  if (still != timers_.end()) still->second.handler = std::move(handler);
}

bool ServerTimers::cancel(ServerTimer timer) {
  std::map<std::uint64_t, Timer>::node_type node;
  {
    const std::scoped_lock lock(mutex_);
    node = timers_.extract(timer.number);
  }
  if (node.empty()) return false;
  if (const server::LoopTimer running = node.mapped().running) {
    impl_.post_to_loop(node.mapped().loop, [running](LoopContext& here) { here.shared().cancel(running); });
  }
  return true;
}

void ServerTimers::end_loop(std::size_t loop) {
  std::map<std::uint64_t, Timer> ended;
  const std::scoped_lock lock(mutex_);
  if (!started_) return;  // a start that failed: the timers wait for the next one
  for (auto timer = timers_.begin(); timer != timers_.end();) {
    const auto next = std::next(timer);
    if (timer->second.loop == loop) ended.insert(timers_.extract(timer));
    timer = next;
  }
}

}  // namespace fanfare::api
