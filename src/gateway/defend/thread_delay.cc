#include "gateway/defend/thread_delay.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace fanfare::gateway {
namespace {

// clock_getcpuclockid(3) for a thread: the kernel's encoding, which pthread_getcpuclockid() uses, too.
clockid_t cpu_clock_of(pid_t tid) {
  constexpr unsigned kThreadAndSchedulerTime = 6;
  return static_cast<clockid_t>((~static_cast<unsigned>(tid) << 3U) | kThreadAndSchedulerTime);
}

Duration cpu_time_of(pid_t tid) {
  timespec time{};
  if (clock_gettime(cpu_clock_of(tid), &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

const ThreadTimes& system_thread_times() {
  static constexpr ThreadTimes kTimes{.caller = &gettid, .of = &cpu_time_of};
  return kTimes;
}

ThreadDelay::Task ThreadDelay::measure(Instant now) {
  if (probe_ != nullptr) {
    const pid_t ran_on = probe_->ran_on.load(std::memory_order_acquire);
    if (ran_on == 0) {
      // It waits still, behind at least this much. Less than the target says nothing yet.
      const Duration used = thread_ == 0 ? Duration::zero() : times_.of(thread_) - probe_->used_before;
      if (used > target_) note(used, now, LoadControl::Task::waits);
      return {};
    }
    // The first task only shows which thread it is.
    if (thread_ != 0) {
      note(std::max(probe_->used - probe_->used_before, Duration::zero()), now, LoadControl::Task::ran);
    }
    thread_ = ran_on;
  }
  probe_ = std::make_shared<Probe>();
  if (thread_ != 0) probe_->used_before = times_.of(thread_);
  return [probe = probe_, &times = times_] {
    const pid_t here = times.caller();
    probe->used = times.of(here);
    probe->ran_on.store(here, std::memory_order_release);
  };
}

void ThreadDelay::note(Duration delay, Instant now, LoadControl::Task task) {
  last_ = delay;
  control_.note(delay, now, task);
  cells_.admitted.store(control_.admitted(), std::memory_order_relaxed);
  cells_.delay_ns.store(delay.count(), std::memory_order_relaxed);
}

}  // namespace fanfare::gateway
