#include "gateway/stop_signals.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace fanfare::gateway {
namespace {

// Wakes the thread at the end: blocked by hold_signals(), and without a meaning while the gateway stops.
constexpr int kWake = SIGUSR2;

}  // namespace

StopSignals::StopSignals(std::function<void()> hurry, Duration hurried_max)
    : hurried_max_(hurried_max), hurry_(std::move(hurry)), thread_([this] { run(); }) {}

StopSignals::~StopSignals() {
  is_over_ = true;
  pthread_kill(thread_.native_handle(), kWake);
  thread_.join();
}

void StopSignals::forget() {
  const std::scoped_lock lock(mutex_);
  hurry_ = nullptr;
}

// Returns 0 at `until`, or when it is over.
int StopSignals::wait(Instant until) const {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int one : {SIGTERM, SIGINT, kWake}) sigaddset(&signals, one);
  while (!is_over_) {
    const Duration left = until - system_clock().now();
    if (left <= Duration::zero()) return 0;
    // A long wait is one of many: the time must fit into a timespec.
    const auto part = std::min<Duration>(left, std::chrono::hours(1));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(part);
    const timespec time{.tv_sec = seconds.count(),
                        .tv_nsec = std::chrono::nanoseconds(part - seconds).count()};
    const int received = sigtimedwait(&signals, nullptr, &time);
    if (received == SIGTERM || received == SIGINT) return received;
  }
  return 0;
}

void StopSignals::run() {
  const int first = wait(Instant::max());
  if (first == 0) return;
  received_ = first;
  log::warn("stop_hurried", {{"signal", sigabbrev_np(first)}});
  {
    const std::scoped_lock lock(mutex_);
    if (hurry_) hurry_();
  }
  const int second = wait(system_clock().now() + hurried_max_);
  if (!is_over_) end_by_signal(second == 0 ? first : second);
}

void end_by_signal(int signal) {
  ::signal(signal, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  ::raise(signal);
  std::_Exit(EXIT_FAILURE);
}

}  // namespace fanfare::gateway
