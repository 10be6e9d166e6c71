#include "relay/leases.h"

#include <pthread.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "relay/names.h"

namespace fanfare::relay {
namespace {

// Between looks at a broker that cannot be reached.
constexpr Duration kPause = std::chrono::milliseconds(50);
// And at one that has no bucket, and makes none.
constexpr Duration kRefusedPause = std::chrono::milliseconds(500);

}  // namespace

Leases::Leases(Link& link, const NatsOptions& options, std::string holder, OnRefusal on_refusal)
    : link_(link),
      holder_(std::move(holder)),
      on_refusal_(std::move(on_refusal)),
      bucket_(link, joined({options.name, "_leases"}), options) {}

Leases::~Leases() {
  stop();
}

void Leases::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "leases");
}

void Leases::begin_stop() {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    is_woken_ = true;
    stop_began_ = system_clock().now();
    for (const auto& [id, work] : works_) work->is_wanted = false;
  }
  wake_.notify_all();
}

void Leases::stop() {
  begin_stop();
  if (!thread_.joinable()) return;
  bool has_ended = false;
  {
    std::unique_lock lock(mutex_);
    has_ended = wake_.wait_until(lock, saturating_add(stop_began_, kStopWait), [this] { return has_ended_; });
  }
  if (!has_ended) link_.cut();
  thread_.join();
}

LeaseId Leases::add(std::string_view name, Duration length, std::function<void(bool)> changed) {
  auto work = std::make_unique<Work>(holder_, length, std::move(changed));
  const auto key = token_of(name);
  FANFARE_CHECK(key);
  work->key = *key;
  const std::scoped_lock lock(mutex_);
  works_.emplace(++last_id_, std::move(work));
  return last_id_;
}

void Leases::remove(LeaseId id) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = works_.find(id);
    if (found == works_.end()) return;
    found->second->is_wanted = false;
    found->second->is_removed = true;
    is_woken_ = true;
  }
  wake_.notify_one();
}

void Leases::set_length(LeaseId id, Duration length) {
  const std::scoped_lock lock(mutex_);
  const auto found = works_.find(id);
  if (found != works_.end()) found->second->lease.set_length(length);
}

void Leases::want(LeaseId id, bool is_wanted) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = works_.find(id);
    if (found == works_.end() || stopping_) return;
    Work& work = *found->second;
    if (work.is_removed || work.is_wanted == is_wanted) return;
    work.is_wanted = is_wanted;
    is_woken_ = true;
  }
  wake_.notify_one();
}

bool Leases::is_held(LeaseId id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = works_.find(id);
  return found != works_.end() && found->second->lease.is_held(system_clock().now());
}

void Leases::leave(LeaseId id, std::string note) {
  const std::scoped_lock lock(mutex_);
  const auto found = works_.find(id);
  if (found != works_.end()) found->second->lease.leave(std::move(note));
}

std::string Leases::note(LeaseId id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = works_.find(id);
  return found == works_.end() ? std::string() : found->second->lease.note();
}

void Leases::run() {
  for (;;) {
    bool is_last = false;
    {
      const std::scoped_lock lock(mutex_);
      is_last = stopping_;
      is_woken_ = false;
    }
    const Instant due = advance_all();
    std::unique_lock lock(mutex_);
    has_ended_ = is_last;
    if (is_last) return wake_.notify_all();
    wake_.wait_until(lock, due, [this] { return is_woken_; });
  }
}

bool Leases::open_bucket() {
  if (!link_.is_connected()) return false;
  const auto opened = bucket_.open();
  if (!opened && !opened.error().empty()) set_refusal(opened.error());
  return opened.has_value();
}

void Leases::set_refusal(const std::string& reason) {
  if (std::exchange(refusal_, reason) != reason && on_refusal_) on_refusal_(reason);
}

Instant Leases::advance_all() {
  std::vector<Work*> works;  // which are erased by this thread alone
  bool is_wanted = false;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, work] : works_) {
      works.push_back(work.get());
      is_wanted = is_wanted || work->is_wanted;
    }
  }
  // What is given up needs no answer.
  const bool can_ask = is_wanted ? open_bucket() : link_.is_connected();
  for (Work* const work : works) {
    if (can_ask) advance(*work);
    report(*work);
  }
  std::unique_lock lock(mutex_);
  std::erase_if(works_, [](const auto& each) { return each.second->is_removed && !each.second->was_held; });
  const Duration pause = refusal_.empty() ? kPause : kRefusedPause;
  Instant due = saturating_add(system_clock().now(), can_ask || works_.empty() ? kDurationMax : pause);
  std::size_t held = 0;
  for (const auto& [id, work] : works_) {
    if (can_ask) due = std::min(due, work->lease.due(work->is_wanted));
    if (!work->was_held) continue;
    due = std::min(due, work->lease.valid_until());
    ++held;
  }
  counters_.held.store(held, std::memory_order_relaxed);
  lock.unlock();
  if (!is_wanted) set_refusal({});
  return due;
}

void Leases::advance(Work& work) {
  const Instant now = system_clock().now();
  std::unique_lock lock(mutex_);
  const Lease::Step step = work.lease.next(now, work.is_wanted);
  const std::uint64_t revision = work.lease.revision();
  const std::string value = step == Lease::Step::give_up ? work.lease.free_value() : work.lease.value();
  lock.unlock();
  switch (step) {
    case Lease::Step::none:
      return;
    case Lease::Step::look: {
      const auto entry = bucket_.get(work.key);
      // Somebody has stored it.
      if (entry && *entry && revision != 0 && (*entry)->revision > revision) set_refusal({});
      lock.lock();
      // As of now: the answer may be late, and the length counts from when the revision was seen.
      return entry ? work.lease.seen(system_clock().now(), *entry) : work.lease.failed(now);
    }
    case Lease::Step::put: {
      const auto put = bucket_.put(work.key, value, revision);
      if (put || !put.error().empty()) set_refusal(put ? std::string() : put.error());
      lock.lock();
      const bool has_lapsed = !work.lease.is_held(system_clock().now());
      work.lease.put_done(now, put ? std::optional(*put) : std::nullopt);
      // The work may have stopped because is_held() was false for a while. Only another report starts it again.
      if (has_lapsed && work.lease.is_held(system_clock().now())) work.was_held = false;
      return;
    }
    case Lease::Step::give_up:
      // Nobody works any more before others may begin.
      lock.lock();
      work.lease.released();
      const bool has_successor = is_wanted_elsewhere(work);
      lock.unlock();
      report(work);
      if (!has_successor) bucket_.put_blindly(work.key, value, revision);
      return;
  }
}

bool Leases::is_wanted_elsewhere(const Work& work) const {
  return std::ranges::any_of(
      works_, [&](const auto& each) { return each.second->is_wanted && each.second->key == work.key; });
}

void Leases::report(Work& work) {
  bool is_held = false;
  bool has_expired = false;
  {
    const std::scoped_lock lock(mutex_);
    is_held = work.lease.is_held(system_clock().now());
    if (work.was_held == is_held) return;
    work.was_held = is_held;
    has_expired = !is_held && work.is_wanted;
  }
  if (is_held) counters_.taken.fetch_add(1, std::memory_order_relaxed);
  if (has_expired) counters_.expired.fetch_add(1, std::memory_order_relaxed);
  log::info(is_held ? "lease_taken" : "lease_ended", {{"work", work.key}});
  work.changed(is_held);
}

}  // namespace fanfare::relay
