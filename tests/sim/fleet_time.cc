#include "fleet_time.h"

#include <algorithm>
#include <utility>

#include "fleet_world.h"
#include "upstream/worker.h"

namespace fanfare {
namespace {

class FleetClock final : public Clock {
 public:
  Instant now() override { return fleet::world().time.now(); }
  WallTime wall_now() override {
    const fleet::ProcessPtr& process = fleet::Inside::current();
    const Duration offset = process == nullptr ? Duration::zero() : process->wall_offset;
    return WallTime(now().time_since_epoch() + std::chrono::hours(24 * 365 * 50) + offset);
  }
};

}  // namespace

Clock& fleet_clock() {
  static FleetClock clock;
  return clock;
}

void FleetRandom::fill(MutableBytes bytes) {
  fleet::world().random.fill(bytes);
}

namespace fleet {
namespace {

ProcessPtr& current_process() {
  static ProcessPtr process;
  return process;
}

}  // namespace

void Time::call_at(Instant when, Task task) {
  timers_.emplace(std::pair(std::max(when, now_), ++serial_), std::move(task));
}

bool Time::run_one(Instant end) {
  if (timers_.empty() || timers_.begin()->first.first > end) {
    now_ = std::max(now_, end);
    return false;
  }
  auto node = timers_.extract(timers_.begin());
  now_ = std::max(now_, node.key().first);
  ++events_;
  node.mapped()();
  return true;
}

Inside::Inside(ProcessPtr process)
    : process_(std::move(process)), before_(std::exchange(current_process(), process_)) {
  if (process_ != nullptr) ++process_->inside;
}

Inside::~Inside() {
  if (process_ != nullptr) --process_->inside;
  current_process() = std::move(before_);
}

const ProcessPtr& Inside::current() {
  return current_process();
}

void call_in(const ProcessPtr& process, Instant when, Task task) {
  world().time.call_at(when, [process, task = std::move(task)]() mutable {
    if (!process->is_alive) return;
    if (process->stalled_until > world().time.now()) {
      call_in(process, process->stalled_until, std::move(task));
      return;
    }
    const Inside inside(process);
    task();
    if (process->after_turn) process->after_turn();
  });
}

bool Thread::post(Task task) {
  if (!process_->is_alive) return false;
  tasks_.push_back(std::move(task));
  plan();
  return true;
}

// Mostly at once, sometimes when others had their turn.
void Thread::plan() {
  if (std::exchange(is_planned_, true)) return;
  Random& random = world().random;
  const auto late = random.below(20) == 0 ? random.below(40'000) : random.below(1500);
  call_in(process_, world().time.now() + std::chrono::microseconds(late), [this] { run(); });
}

void Thread::run() {
  is_planned_ = false;
  for (std::uint64_t most = 1 + world().random.below(16); most > 0 && !tasks_.empty(); --most) {
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
  if (!tasks_.empty()) plan();
}

}  // namespace fleet

// --- the thread of a network's nodes (upstream/worker.h) -----------------------------------------------

namespace upstream {

struct FleetWorker::Impl {
  explicit Impl(fleet::ProcessPtr its_process) : process(its_process), thread(std::move(its_process)) {}
  fleet::ProcessPtr process;
  fleet::Thread thread;
  std::map<TimerId, Task> timers;
  std::uint64_t serial = 0;
};

FleetWorker::FleetWorker(WorkerOptions /*options*/)
    : impl_(std::make_unique<Impl>(fleet::Inside::current())) {}
FleetWorker::~FleetWorker() = default;

bool FleetWorker::post(Task task) {
  return impl_->thread.post(std::move(task));
}
void FleetWorker::run(Task task) {
  task();
}
TimerId FleetWorker::call_at(Instant when, Task task) {
  const TimerId id{.at = when, .serial = ++impl_->serial};
  impl_->timers.emplace(id, std::move(task));
  fleet::call_in(impl_->process, when, [impl = impl_.get(), id] {
    auto node = impl->timers.extract(id);
    if (!node.empty()) node.mapped()();
  });
  return id;
}
bool FleetWorker::cancel(TimerId timer) {
  return impl_->timers.erase(timer) > 0;
}
Instant FleetWorker::now() const {
  return fleet::world().time.now();
}
bool FleetWorker::on_thread() const {
  return true;
}
bool FleetWorker::stopping() const {
  return !impl_->process->is_alive;
}
void FleetWorker::attach(StopListener& /*listener*/) {}
void FleetWorker::detach(StopListener& /*listener*/) {}

}  // namespace upstream
}  // namespace fanfare
