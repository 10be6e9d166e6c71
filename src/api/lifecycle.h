#pragma once
// The start and the stop of a Server, each of which happens once. Any thread.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "base/time.h"
#include "fanfare/server.h"

namespace fanfare::session {
class Server;
}

namespace fanfare::api {

class Lifecycle {
 public:
  bool is_idle() const { return state() == State::idle; }
  bool is_running() const { return state() == State::running; }
  // There are loops, which may have ended already.
  bool has_loops() const { return state() >= State::running; }

  // idle -> starting. False: it was started before.
  bool begin_start();
  // starting -> running. The loops of `server` exist, and accept no connection yet. `before_end` is called in a stop,
  // while the loops still run, on a thread that may wait. Several threads may call it at once.
  void enter_running(session::Server& server, std::function<void()> before_end);
  // After begin_start(). A start that failed makes it idle again, so nothing of it may be left.
  void end_start(bool has_failed);

  // Waits until a stop is complete. Returns at once if the server is not running.
  void run();
  // As Server::stop(). Does not wait on the thread of a handler.
  std::size_t stop(const StopOptions& options);
  // Waits for the end of a stop that has begun.
  void wait_for_end();

  // Shared: held while a message enters the mailboxes of several loops. A stop begins while none is held, so it
  // follows all of them.
  std::shared_mutex& publishing() { return publishing_; }

 private:
  // Handlers never see the first two states, because no client is served before `running`.
  enum class State : std::uint8_t { idle, starting, running, stopping, stopped };
  struct Spread {
    Instant end;
    Instant deadline;
  };

  State state() const { return state_.load(std::memory_order_acquire); }
  void begin_spread(Duration spread, Instant deadline);
  void end_spread();
  void begin_stop(Instant deadline);
  std::size_t finish(std::unique_lock<std::mutex>& lock);

  std::atomic<State> state_ = State::idle;
  session::Server* server_ = nullptr;  // from `running` on
  std::function<void()> before_end_;   // from `running` on
  std::optional<Spread> spread_;       // sessions are being closed one after another; the state is `running`
  std::shared_mutex publishing_;
  std::mutex mutex_;  // guards changes of state_, and used to wait for them
  std::condition_variable changed_;
};

}  // namespace fanfare::api
