#include "gateway/defend/defence.h"

#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "base/log.h"
#include "net/thread.h"

namespace fanfare::gateway {
namespace {

constexpr Duration kStep = std::chrono::milliseconds(50);
constexpr Duration kStepWhenLate = std::chrono::milliseconds(10);
constexpr Duration kMemoryEvery = std::chrono::milliseconds(50);
// Freed memory that the allocator keeps counts as used: while memory is short, it is returned this often.
constexpr Duration kTrimEvery = std::chrono::milliseconds(500);
// A loop that does not answer is not waited for.
constexpr Duration kRoundMax = std::chrono::seconds(1);
// Until the connections of the last round are gone, their memory counts still.
constexpr Duration kBetweenRounds = kShedGrace + std::chrono::milliseconds(150);
constexpr Duration kBetweenVainRounds = std::chrono::seconds(10);

}  // namespace

Defence::Defence(const DefencePlan& plan, const KernelFiles& files)
    : plan_(plan),
      ceiling_(plan.is_process ? memory_ceiling(plan.memory.bytes_max, files) : MemoryCeiling{}),
      marks_(ceiling_.bytes, plan.memory),
      used_([meter = MemoryMeter(ceiling_.source == MemoryCeiling::Source::cgroup, files)] {
        return meter.used();
      }) {
  cells_.memory_ceiling = ceiling_.bytes;
}

std::size_t Defence::at_most(std::size_t configured, std::uint32_t percent) const {
  if (ceiling_.bytes == 0) return configured;
  return std::min<std::size_t>(configured, ceiling_.bytes / 100 * percent);
}

void Defence::set_workers(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) cells_.workers.emplace_back();
}

LoopGuard* Defence::add_loop() {
  if (!plan_.is_process) return nullptr;
  cells_.loops.emplace_back();
  cells_.batches.emplace_back();
  cells_.slices.emplace_back();
  return &guards_.emplace_back(cells_, cells_.loops.size() - 1, plan_);
}

void Defence::start(const Watched& watched) {
  if (guards_.empty()) return;
  for (LoadCells& cells : cells_.loops) loop_delays_.emplace_back(plan_.overload, cells);
  for (LoadCells& cells : cells_.workers) worker_delays_.emplace_back(plan_.overload, cells);
  for (std::size_t i = 0; i < cells_.slices.size(); ++i) {
    batch_delays_.emplace_back(plan_.overload, cells_.batches[i], cells_.slices[i]);
  }
  log::info("memory_ceiling", {{"bytes", ceiling_.bytes},
                               {"source", name_of(ceiling_.source)},
                               {"soft_bytes", marks_.soft_bytes()},
                               {"hard_bytes", marks_.hard_bytes()},
                               {"used_bytes", used_()}});
  auto thread = net::start_thread([this, watched] { run(watched); });
  if (!thread) return log::error("defence_not_started", {{"error", thread.error().message()}});
  thread_ = *std::move(thread);
}

void Defence::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  woken_.notify_all();
  if (thread_.joinable()) thread_.join();
  cells_.memory = MemoryLevel::normal;
  for (auto* threads : {&cells_.loops, &cells_.workers, &cells_.batches}) {
    for (LoadCells& cells : *threads) cells.admitted = LoadControl::kWhole;
  }
}

void Defence::run(const Watched& watched) {
  pthread_setname_np(pthread_self(), "defence");
  for (;;) {
    Duration wait = kStep;
    run_guarded("the defence", [&] { wait = step(watched, system_clock().now()); });
    std::unique_lock lock(mutex_);
    if (woken_.wait_for(lock, wait, [this] { return stopping_; })) return;
  }
}

bool Defence::measure_delays(const Watched& watched, Instant now) {
  bool is_late = false;
  const auto measure = [&](std::deque<ThreadDelay>& delays, std::string_view name, const auto& post_to) {
    for (std::size_t i = 0; i < delays.size(); ++i) {
      const bool was_overloaded = delays[i].is_overloaded();
      if (auto task = delays[i].measure(now)) post_to(i, std::move(task));
      is_late = is_late || delays[i].is_late();
      log_load(name, i, was_overloaded, delays[i].is_overloaded(), delays[i].last());
    }
  };
  measure(loop_delays_, "loop", [&](std::size_t i, ThreadDelay::Task task) {
    watched.server.post(i, [task = std::move(task)](session::LoopServer&) mutable { task(); });
  });
  measure(worker_delays_, "upstream",
          [&](std::size_t i, ThreadDelay::Task task) { watched.workers[i]->post(std::move(task)); });
  for (std::size_t i = 0; i < batch_delays_.size(); ++i) {
    SliceDelay& delay = batch_delays_[i];
    const bool was_overloaded = delay.is_overloaded();
    delay.measure(now);
    is_late = is_late || delay.is_late();
    log_load("batches", i, was_overloaded, delay.is_overloaded(), delay.last());
  }
  return is_late;
}

Duration Defence::step(const Watched& watched, Instant now) {
  const bool is_late = plan_.overload.enabled && measure_delays(watched, now);
  if (now >= next_memory_) {
    next_memory_ = now + kMemoryEvery;
    measure_memory(watched, now);
  }
  return is_late || round_ != nullptr ? kStepWhenLate : kStep;
}

void Defence::log_load(std::string_view thread, std::size_t index, bool was_overloaded, bool is_overloaded,
                       Duration delay) {
  if (is_overloaded == was_overloaded) return;
  log::warn(was_overloaded ? "overload_ended" : "overload_began",
            {{"thread", std::string(thread) + "-" + std::to_string(index)},
             {"delay_ms", std::chrono::duration_cast<std::chrono::milliseconds>(delay).count()}});
}

void Defence::measure_memory(const Watched& watched, Instant now) {
  std::uint64_t used = used_();
  if (marks_.level() != MemoryLevel::normal && now >= next_trim_) {
    next_trim_ = now + kTrimEvery;
    if (malloc_trim(0) != 0) used = used_();
  }
  const MemoryLevel before = marks_.level();
  const MemoryLevel level = marks_.update(used);
  cells_.memory_used.store(used, std::memory_order_relaxed);
  cells_.memory.store(level, std::memory_order_relaxed);
  if (level != before) log_level(watched, before, used);
  if (level == MemoryLevel::hard || round_ != nullptr) shed_slowest(watched, used, now);
}

void Defence::log_level(const Watched& watched, MemoryLevel before, std::uint64_t used) const {
  log::warn("memory_level", {{"level", name_of(marks_.level())},
                             {"before", name_of(before)},
                             {"used_bytes", used},
                             {"ceiling_bytes", marks_.ceiling()},
                             {"held_bytes", watched.held.used()},
                             {"unfinished_bytes", watched.unfinished.used()}});
}

void Defence::shed_slowest(const Watched& watched, std::uint64_t used, Instant now) {
  if (round_ == nullptr) {
    if (now >= next_round_) begin_round(watched, now);
    return;
  }
  {
    const std::scoped_lock lock(round_->mutex);
    if (round_->missing > 0 && now - round_began_ < kRoundMax) return;
  }
  end_round(watched, used, now);
}

void Defence::begin_round(const Watched& watched, Instant now) {
  round_ = std::make_shared<Round>();
  round_began_ = now;
  round_->missing = watched.server.loop_count();
  for (std::size_t i = 0; i < watched.server.loop_count(); ++i) {
    watched.server.post(i, [round = round_, i](session::LoopServer& server) {
      std::vector<Backlog> found = largest_backlogs(server, i);
      const std::scoped_lock lock(round->mutex);
      round->found.insert(round->found.end(), found.begin(), found.end());
      --round->missing;
    });
  }
}

void Defence::end_round(const Watched& watched, std::uint64_t used, Instant now) {
  std::vector<Backlog> found;
  {
    const std::scoped_lock lock(round_->mutex);
    found = std::move(round_->found);
  }
  round_.reset();
  const std::uint64_t excess = used - std::min(used, marks_.normal_bytes());
  const std::vector<Backlog> chosen = choose_to_shed(std::move(found), excess);
  std::size_t bytes = 0;
  for (const Backlog& one : chosen) {
    bytes += one.bytes;
    watched.server.post(one.loop, [this, one](session::LoopServer& server) {
      if (!shed(server, one.id)) return;
      cells_.shed_connections.add();
      cells_.shed_bytes.add(one.bytes);
    });
  }
  log::warn("memory_shed", {{"connections", chosen.size()},
                            {"backlog_bytes", bytes},
                            {"used_bytes", used},
                            {"excess_bytes", excess}});
  next_round_ = now + (chosen.empty() ? kBetweenVainRounds : kBetweenRounds);
  next_trim_ = now + kBetweenRounds;
}

}  // namespace fanfare::gateway
