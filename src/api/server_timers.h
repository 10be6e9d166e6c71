#pragma once
// The timers of a public Server. Any thread sets and cancels them; each runs on its loop's thread. The handlers are
// stored here, and a loop knows only their numbers. Few and coarse, so one lock guards them all; it is not held while
// a handler runs or is destroyed.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "base/time.h"
#include "fanfare/server.h"
#include "fanfare/unique_function.h"
#include "server/loop_context.h"

namespace fanfare::api {

// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): final, which a declaration cannot say
class LoopContext;
class ServerImpl;

class ServerTimers {
 public:
  // The server must outlive this object.
  explicit ServerTimers(ServerImpl& impl) : impl_(impl) {}
  ServerTimers(const ServerTimers&) = delete;
  ServerTimers& operator=(const ServerTimers&) = delete;

  // Any thread. An interval of zero: runs once. Refused as documented at Server::call_after().
  ServerTimer add(std::chrono::milliseconds delay, std::chrono::milliseconds interval,
                  UniqueFunction<void()> handler, TimerOptions options);
  bool cancel(ServerTimer timer);

  // The loops exist and no client is served yet: starts the timers that were set before. On the starting thread.
  void start();
  // Destroys the handlers of the loop's timers. On the loop's thread, at its end.
  void end_loop(std::size_t loop);

 private:
  struct Timer {
    UniqueFunction<void()> handler;  // empty while it runs
    Instant since;                   // the delay begins
    Duration delay;
    Duration interval;
    std::size_t loop;                // once started, below the number of loops
    server::LoopTimer running = {};  // on its loop; none: the loop has not taken it yet
  };

  // Made with the lock held, so the loop finds the timer when it runs this.
  UniqueFunction<void(LoopContext&)> taking(std::uint64_t number);
  // On the timer's loop.
  void take(LoopContext& here, std::uint64_t number);
  void run(std::uint64_t number);

  ServerImpl& impl_;
  std::mutex mutex_;  // guards the rest
  bool started_ = false;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Timer> timers_;
};

}  // namespace fanfare::api
