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

}  // namespace

Leases::Leases(Link& link, const NatsOptions& options, std::string holder)
    : link_(link), holder_(std::move(holder)), bucket_(link, joined({options.name, "_leases"}), options) {}

Leases::~Leases() {
  stop();
}

void Leases::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "leases");
}

void Leases::stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    is_woken_ = true;
    for (const auto& [id, work] : works_) work->is_wanted = false;
  }
  wake_.notify_one();
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

void Leases::run() {
  for (;;) {
    bool is_last = false;
    {
      const std::scoped_lock lock(mutex_);
      is_last = stopping_;
      is_woken_ = false;
    }
    const Instant due = advance_all();
    if (is_last) return;
    std::unique_lock lock(mutex_);
    wake_.wait_until(lock, due, [this] { return is_woken_; });
  }
}

Instant Leases::advance_all() {
  const bool can_ask = link_.is_connected() && bucket_.open().has_value();
  std::vector<Work*> works;  // which are erased by this thread alone
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, work] : works_) works.push_back(work.get());
  }
  for (Work* const work : works) {
    if (can_ask) advance(*work);
    report(*work);
  }
  const std::scoped_lock lock(mutex_);
  std::erase_if(works_, [](const auto& each) { return each.second->is_removed && !each.second->was_held; });
  Instant due = saturating_add(system_clock().now(), can_ask ? kDurationMax : kPause);
  std::size_t held = 0;
  for (const auto& [id, work] : works_) {
    if (can_ask) due = std::min(due, work->lease.due(work->is_wanted));
    if (!work->was_held) continue;
    due = std::min(due, work->lease.valid_until());
    ++held;
  }
  counters_.held.store(held, std::memory_order_relaxed);
  return due;
}

void Leases::advance(Work& work) {
  const Instant now = system_clock().now();
  std::unique_lock lock(mutex_);
  const Lease::Step step = work.lease.next(now, work.is_wanted);
  const std::uint64_t revision = work.lease.revision();
  lock.unlock();
  switch (step) {
    case Lease::Step::none:
      return;
    case Lease::Step::look: {
      const auto entry = bucket_.get(work.key);
      lock.lock();
      // As of now: the answer may be late, and the length counts from when the revision was seen.
      return entry ? work.lease.seen(system_clock().now(), *entry) : work.lease.failed(now);
    }
    case Lease::Step::put: {
      const auto put = bucket_.put(work.key, holder_, revision);
      lock.lock();
      const bool has_lapsed = !work.lease.is_held(system_clock().now());
      work.lease.put_done(now, put);
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
      if (!has_successor) bucket_.remove(work.key);
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
