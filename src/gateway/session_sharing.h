#pragma once
// What a gateway needs to share the sessions of its clients with other instances: the broker's records, and what is written there. On a
// connection of its own: what it keeps is not what a stream keeps.

#include "eth/resume_limits.h"
#include "fanfare/nats.h"
#include "gateway/shared_sessions.h"
#include "relay/records.h"

namespace fanfare::gateway {

class SessionSharing {
 public:
  SessionSharing(const NatsOptions& options, const eth::ResumeLimits& limits);
  SessionSharing(const SessionSharing&) = delete;
  SessionSharing& operator=(const SessionSharing&) = delete;
  ~SessionSharing() { records_.stop(); }

  // Once.
  void start() {
    is_running_ = true;
    records_.start(sessions_);
  }
  // No connection is open any more. What has changed is written first, for kFlushWait at most.
  void stop();

  SharedSessions& sessions() { return sessions_; }
  const SharedSessionCounters& counters() const { return sessions_.counters(); }

  static constexpr Duration kFlushWait = std::chrono::seconds(2);

 private:
  SessionSharing(std::uint64_t instance, const NatsOptions& options, const eth::ResumeLimits& limits);

  relay::Records records_;
  SharedSessions sessions_;
  bool is_running_ = false;
};

}  // namespace fanfare::gateway
