#pragma once
// The leases of an instance, in one bucket of the broker, on a thread of their own.

#include <chrono>
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
  // Called on the leases' thread: why the broker refuses to store leases; empty: it stores them again, or nobody wants one.
  using OnRefusal = std::function<void(const std::string& reason)>;
  // Link and options outlive this. `holder` is unique to the instance, and has no spaces.
  Leases(Link& link, const NatsOptions& options, std::string holder, OnRefusal on_refusal = {});
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;
  ~Leases();

  // Once.
  void start();
  // Begins to give up what is held, so that others need not wait. Waits for nothing.
  void begin_stop();
  // Again and before start(), too. A broker that does not answer is waited for until kStopWait after begin_stop(), and then the link is
  // cut. No callback is in progress when it returns.
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
  // What the holder leaves with the lease for whoever gets it next, and what was left for this instance. Without spaces.
  void leave(LeaseId id, std::string note);
  std::string note(LeaseId id) const;
  const LeaseCounters& counters() const { return counters_; }

  static constexpr Duration kStopWait = std::chrono::milliseconds(300);

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
  // Whether the bucket can be asked.
  bool open_bucket();
  void set_refusal(const std::string& reason);
  // With the mutex held: for a work of the same name, which was added before this one was removed and may have the lease.
  bool is_wanted_elsewhere(const Work& work) const;
  void report(Work& work);

  Link& link_;
  const std::string holder_;
  const OnRefusal on_refusal_;
  Bucket bucket_;
  std::string refusal_;  // the thread's own
  LeaseCounters counters_;
  mutable std::mutex mutex_;  // guards what follows; not held while the broker is asked
  std::condition_variable wake_;
  bool stopping_ = false;
  bool is_woken_ = false;
  bool has_ended_ = false;  // the thread
  Instant stop_began_{};
  LeaseId last_id_ = 0;
  // In the order in which they were added: one that was removed is given up before its successor is taken. Entries are erased by the
  // thread alone.
  std::map<LeaseId, std::unique_ptr<Work>> works_;
  std::thread thread_;
};

}  // namespace fanfare::relay
