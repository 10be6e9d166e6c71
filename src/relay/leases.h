#pragma once
// The leases of an instance, in one bucket of the broker, on a thread of their own.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "relay/bucket.h"
#include "relay/counters.h"
#include "relay/lease.h"

namespace fanfare::relay {

// Of a work, from Leases::add(); from 1.
using LeaseId = std::uint64_t;

class Leases {
 public:
  // Both outlive this. `holder` is unique to the instance.
  Leases(Link& link, const NatsOptions& options, std::string holder);
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;
  ~Leases();

  // Once.
  void start();
  // Again and before start(), too. Gives up what is held, so that others need not wait. No callback is in progress when it returns.
  void stop();

  // Any thread, all below. A work that is not wanted yet. `changed` is called on the leases' thread when it may be done, and when it
  // may not any more. The lease of a work that was added twice is one and the same.
  LeaseId add(std::string_view work, Duration length, std::function<void(bool is_held)> changed);
  // Gives it up. A callback may be under way.
  void remove(LeaseId id);
  // Of all renewals from now on.
  void set_length(LeaseId id, Duration length);
  // Whether this instance would do the work.
  void want(LeaseId id, bool is_wanted);
  bool is_held(LeaseId id) const;
  const LeaseCounters& counters() const { return counters_; }

 private:
  friend class WithoutThread;  // tests/sim
  struct Work {
    Work(const std::string& holder, Duration length, std::function<void(bool)> its_changed)
        : lease(holder, length), changed(std::move(its_changed)) {}
    Lease lease;  // guarded by the mutex
    std::function<void(bool)> changed;
    std::string key;
    bool is_wanted = false;
    bool was_held = false;
    bool is_removed = false;
  };

  void run();
  // Until when nothing is to be done.
  Instant advance_all();
  void advance(Work& work);
  // With the mutex held: for a work of the same name, which was added before this one was removed and may have the lease.
  bool is_wanted_elsewhere(const Work& work) const;
  void report(Work& work);

  Link& link_;
  const std::string holder_;
  Bucket bucket_;
  LeaseCounters counters_;
  mutable std::mutex mutex_;  // guards what follows; not held while the broker is asked
  std::condition_variable wake_;
  bool stopping_ = false;
  bool is_woken_ = false;
  LeaseId last_id_ = 0;
  // In the order in which they were added: one that was removed is given up before its successor is taken. Entries are erased by the
  // thread alone.
  std::map<LeaseId, std::unique_ptr<Work>> works_;
  std::thread thread_;
};

}  // namespace fanfare::relay
