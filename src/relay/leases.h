#pragma once
// The leases of an instance, in one bucket of the broker, on a thread of their own.

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "relay/bucket.h"
#include "relay/lease.h"

namespace fanfare::relay {

class Leases {
 public:
  // Both outlive this. `holder` is unique to the instance.
  Leases(Link& link, const NatsOptions& options, std::string holder);
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;
  ~Leases();

  // A work that is not wanted yet. `changed` is called on the leases' thread when it may be done, and when it may not
  // any more. Before start().
  void add(const std::string& work, Duration length, std::function<void(bool is_held)> changed);
  void start();
  // Again and before start(), too. Gives up what is held, so that others need not wait. No callback is in progress when it returns.
  void stop();

  // Whether this instance would do the work. Any thread.
  void want(std::string_view work, bool is_wanted);
  // Any thread.
  bool is_held(std::string_view work) const;

 private:
  struct Work {
    Work(const std::string& holder, Duration length, std::function<void(bool)> its_changed)
        : lease(holder, length), changed(std::move(its_changed)) {}
    Lease lease;  // changed by the thread alone, with the mutex held
    std::function<void(bool)> changed;
    std::string key;
    bool is_wanted = false;
    bool was_held = false;
  };

  void run();
  void advance(Work& work);
  void report(Work& work);

  Link& link_;
  const std::string holder_;
  Bucket bucket_;
  mutable std::mutex mutex_;  // guards what follows; not held while the broker is asked
  std::condition_variable wake_;
  bool stopping_ = false;
  bool is_woken_ = false;
  std::map<std::string, std::unique_ptr<Work>, std::less<>> works_;
  std::thread thread_;
};

}  // namespace fanfare::relay
