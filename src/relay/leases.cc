#include "relay/leases.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

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
  if (thread_.joinable()) stop();
}

void Leases::add(const std::string& work, Duration length, std::function<void(bool)> changed) {
  auto one = std::make_unique<Work>(holder_, length, std::move(changed));
  const auto key = token_of(work);
  FANFARE_CHECK(key);
  one->key = *key;
  works_.emplace(work, std::move(one));
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
    for (const auto& [name, work] : works_) work->is_wanted = false;
  }
  wake_.notify_one();
  thread_.join();
}

void Leases::want(std::string_view name, bool is_wanted) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = works_.find(name);
    if (found == works_.end() || stopping_ || found->second->is_wanted == is_wanted) return;
    found->second->is_wanted = is_wanted;
    is_woken_ = true;
  }
  wake_.notify_one();
}

bool Leases::is_held(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = works_.find(name);
  return found != works_.end() && found->second->lease.is_held(system_clock().now());
}

void Leases::run() {
  for (bool is_last = false;;) {
    {
      const std::scoped_lock lock(mutex_);
      is_last = stopping_;
    }
    const bool can_ask = link_.is_connected() && bucket_.open().has_value();
    for (const auto& [name, work] : works_) {
      if (can_ask) advance(*work);
      report(*work);
    }
    if (is_last) return;
    std::unique_lock lock(mutex_);
    if (stopping_) continue;
    Instant due = saturating_add(system_clock().now(), can_ask ? kDurationMax : kPause);
    for (const auto& [name, work] : works_) {
      if (can_ask) due = std::min(due, work->lease.due(work->is_wanted));
      if (work->was_held) due = std::min(due, work->lease.valid_until());
    }
    if (due > system_clock().now()) {
      wake_.wait_until(lock, due, [this] { return is_woken_; });
    }
    is_woken_ = false;
  }
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
      return entry ? work.lease.seen(now, *entry) : work.lease.failed(now);
    }
    case Lease::Step::put: {
      const auto put = bucket_.put(work.key, holder_, revision);
      lock.lock();
      return work.lease.put_done(now, put);
    }
    case Lease::Step::give_up:
      // Nobody works any more before others may begin.
      lock.lock();
      work.lease.released();
      lock.unlock();
      report(work);
      return bucket_.remove(work.key);
  }
}

void Leases::report(Work& work) {
  bool is_held = false;
  {
    const std::scoped_lock lock(mutex_);
    is_held = work.lease.is_held(system_clock().now());
    if (work.was_held == is_held) return;
    work.was_held = is_held;
  }
  log::info(is_held ? "lease_taken" : "lease_ended", {{"work", work.key}});
  work.changed(is_held);
}

}  // namespace fanfare::relay
