#include "server/loop_context.h"

#include <algorithm>

namespace fanfare::server {

LoopContext::~LoopContext() {
  // Taken out first: the captures of a task may call cancel() when they are destroyed.
  const auto timers = std::exchange(timers_, {});
  for (const auto& [number, timer] : timers) loop_.cancel(timer.due);
  while (!states_.empty()) {
    const StateSlot last = std::move(states_.back());
    states_.pop_back();
  }
}

LoopTimer LoopContext::call_after(Duration delay, UniqueFunction<void()> task) {
  return add(saturating_add(loop_.now(), std::max(delay, Duration::zero())), Duration::zero(),
             std::move(task));
}

LoopTimer LoopContext::call_every(Duration interval, UniqueFunction<void()> task) {
  const Duration wait = std::clamp(interval, kIntervalMin, kDurationMax);
  return add(saturating_add(loop_.now(), wait), wait, std::move(task));
}

bool LoopContext::cancel(LoopTimer timer) {
  // Extracted first: the task's captures may call back into this object when they are destroyed.
  const auto node = timers_.extract(timer.number);
  if (node.empty()) return false;
  loop_.cancel(node.mapped().due);
  return true;
}

LoopTimer LoopContext::add(Instant due, Duration interval, UniqueFunction<void()> task) {
  if (task == nullptr) return {};
  const std::uint64_t number = ++last_number_;
  Timer& timer =
      timers_.emplace(number, Timer{.due = {}, .interval = interval, .task = std::move(task)}).first->second;
  timer.due = schedule(due, number);
  return {number};
}

net::TimerId LoopContext::schedule(Instant due, std::uint64_t number) {
  return loop_.call_at(due, [this, number] { run(number); });
}

void LoopContext::run(std::uint64_t number) {
  const auto timer = timers_.find(number);
  if (timer == timers_.end()) return;
  if (timer->second.interval == Duration::zero()) {
    run_once(timer);
  } else {
    run_again(timer);
  }
}

void LoopContext::run_once(std::map<std::uint64_t, Timer>::iterator timer) {
  const auto node = timers_.extract(timer);
  node.mapped().task();
}

void LoopContext::run_again(std::map<std::uint64_t, Timer>::iterator timer) {
  const std::uint64_t number = timer->first;
  const Duration interval = timer->second.interval;
  // The next instant of the rhythm that is still to come.
  const Duration late = std::max(loop_.now() - timer->second.due.due, Duration::zero());
  timer->second.due = schedule(saturating_add(loop_.now(), interval - late % interval), number);
  // Puts the task back even if it throws, unless it has cancelled its timer.
  struct Running {
    LoopContext& self;
    const std::uint64_t number;
    UniqueFunction<void()> task;
    ~Running() {
      const auto still = self.timers_.find(number);
      if (still != self.timers_.end()) still->second.task = std::move(task);
    }
  } running{.self = *this, .number = number, .task = std::move(timer->second.task)};
  running.task();
}

void* LoopContext::find_state(std::type_index type) const {
  const auto found = std::ranges::find(states_, type, &StateSlot::type);
  return found == states_.end() ? nullptr : found->object.get();
}

}  // namespace fanfare::server
