#pragma once
// The NATS library's objects, owned. For link.cc, jet_stream.cc, bucket.cc and presence/nats_broker.cc only.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "relay/connect_plan.h"
#include "relay/link.h"

// The library's own names.
// NOLINTBEGIN(bugprone-reserved-identifier, cert-dcl37-c, cert-dcl51-cpp)
struct __natsConnection;
struct __natsOptions;
struct __jsCtx;
// NOLINTEND(bugprone-reserved-identifier, cert-dcl37-c, cert-dcl51-cpp)

namespace fanfare::relay {

// Owns one of the library's objects.
template <typename T, void (*Destroy)(T*)>
struct Destroyer {
  void operator()(T* object) const { Destroy(object); }
};
template <typename T, void (*Destroy)(T*)>
using Handle = std::unique_ptr<T, Destroyer<T, Destroy>>;

// A request to the broker's API waits at most this long.
inline constexpr std::int64_t kRequestTimeoutMs = 2000;
inline constexpr std::int64_t kWriteDeadlineMs = 2000;

// The library's own words for what went wrong in this thread, or for what this callback tells. `status` is a natsStatus. (Not
// natsConnection_GetLastError(): another thread writes that text meanwhile, and it may be a later error's by then.)
std::string words_for(int status);

// Everything of a connection but what happens in it. The error is for people: a file cannot be read.
std::expected<void, std::string> set_options(__natsOptions* made, const NatsOptions& options);

// The subjects that this connection has asked for and is not subscribed to, since the broker has refused them, or has taken them away
// when its permissions changed. It does not say when they are permitted again, and then does not give them back. Any thread.
class RefusedSubjects {
 public:
  // Empty: none.
  void add(const std::string& subject) {
    const std::scoped_lock lock(mutex_);
    if (!subject.empty() && subjects_.size() < kMax) subjects_.insert(subject);
  }
  void clear() {
    const std::scoped_lock lock(mutex_);
    subjects_.clear();
  }
  std::set<std::string> all() const {
    const std::scoped_lock lock(mutex_);
    return subjects_;
  }

 private:
  static constexpr std::size_t kMax = 1024;
  mutable std::mutex mutex_;  // guards subjects_
  std::set<std::string> subjects_;
};

// The subscriptions that the broker refuses on the connection of Link::look(). The library calls the callbacks of a connection in the order
// of the events, on a thread of its own. The closed callback is the last one: after it the report is complete.
class LookReport {
 public:
  // False: the connection before this one is not closed.
  bool begin() {
    const std::scoped_lock lock(mutex_);
    if (!is_whole_) return false;
    is_whole_ = false;
    refused_.clear();
    return true;
  }
  void add(const std::string& subject) { refused_.add(subject); }
  void end() {
    const std::scoped_lock lock(mutex_);
    is_whole_ = true;
    became_whole_.notify_all();
  }
  // Empty: it takes longer than a request to the broker may.
  std::optional<std::set<std::string>> wait() {
    std::unique_lock lock(mutex_);
    if (!became_whole_.wait_for(lock, std::chrono::milliseconds(kRequestTimeoutMs),
                                [this] { return is_whole_; }))
      return std::nullopt;
    return refused_.all();
  }

 private:
  std::mutex mutex_;  // guards is_whole_
  std::condition_variable became_whole_;
  bool is_whole_ = true;
  RefusedSubjects refused_;
};

// What the library's callbacks reach a link through. It may call them for a moment after a connection was closed and destroyed, so
// gates live as long as the process: one for each link.
struct Gate {
  std::mutex mutex;              // guards events and inbox; held during an event
  LinkEvents* events = nullptr;  // null: the link is closed
  std::string inbox;
  std::int64_t reconnect_wait_ms = 0;  // set once
  RefusedSubjects refused;             // of the connection
  LookReport look_report;
};

// A connection, and what belongs to it. Ended by natsConnection_Close(); freed when nobody uses it any more.
struct Session {
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  Subscribed acknowledgements{nullptr, [](void*) {}};
  Subscribed past_messages{nullptr, [](void*) {}};
  __natsConnection* connection = nullptr;
  __jsCtx* context = nullptr;
  std::uint64_t number = 0;  // of sessions of this link
};

struct Link::Parts {
  // Of the moment: Link::connect() replaces it. Null: closed, or not connected so far. Any thread.
  std::shared_ptr<Session> session() const {
    const std::scoped_lock lock(mutex);
    return current;
  }

  NatsOptions options;
  LinkEvents events;
  Gate* gate = nullptr;      // null: was never opened
  mutable std::mutex mutex;  // guards what follows
  bool is_closed = false;    // for good
  std::shared_ptr<Session> current;
  std::uint64_t sessions = 0;  // so far
  std::atomic<bool> wants_larger_payloads = false;
  LookPlan look_plan;  // the thread of Link::connect()
};

}  // namespace fanfare::relay
