#pragma once
// The timers of one loop's public sessions. They are stored here, so that a session without timers uses no
// memory for them. Used on the loop's thread only.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "fanfare/session.h"
#include "fanfare/unique_function.h"
#include "net/loop.h"
#include "session/session.h"

namespace fanfare::api {

class SessionTimers {
 public:
  // The loop must outlive this object.
  explicit SessionTimers(net::Loop& loop) : loop_(loop) {}
  ~SessionTimers();
  SessionTimers(const SessionTimers&) = delete;
  SessionTimers& operator=(const SessionTimers&) = delete;

  // Returns the timer's number; zero if the session has `timers_max` timers or is not open.
  std::uint64_t add(session::Session& engine, std::chrono::milliseconds delay,
                    UniqueFunction<void(Session&)> handler, std::size_t timers_max);
  // Returns false if the timer has run or was cancelled.
  bool cancel(const session::Session& engine, std::uint64_t number);
  // The session has ended: removes its timers.
  void forget(const session::Session& engine);

  std::size_t session_count() const { return timers_.size(); }

 private:
  struct Timer {
    std::uint64_t number;
    net::TimerId due;
    UniqueFunction<void(Session&)> handler;
  };

  void run(session::Session& engine, std::uint64_t number);
  // Removes the timer from the list; returns an empty handler if it was not there.
  UniqueFunction<void(Session&)> take(const session::Session& engine, std::uint64_t number);

  net::Loop& loop_;
  std::uint64_t last_number_ = 0;
  std::unordered_map<const session::Session*, std::vector<Timer>> timers_;
};

}  // namespace fanfare::api
