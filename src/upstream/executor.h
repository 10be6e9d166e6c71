#pragma once
// The one thread that talks to a network's nodes, as the objects on it see it: time, timers and posted work.
// The Worker is a real thread; a simulation has one with simulated time.

#include <compare>
#include <cstdint>

#include "base/time.h"
#include "fanfare/unique_function.h"

namespace fanfare::upstream {

// Identifies a timer from call_at() until it ran or was cancelled. A default one identifies none.
struct TimerId {
  Instant at{};
  std::uint64_t serial = 0;
  auto operator<=>(const TimerId&) const = default;
};

class Executor {
 public:
  using Task = UniqueFunction<void()>;

  Executor() = default;
  virtual ~Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Runs `task` soon on the thread. Any thread, also the executor's own. Once it has stopped, returns false
  // and destroys the task unrun.
  virtual bool post(Task task) = 0;
  // Runs `task` on the thread and returns when it has run. Runs it directly when called there, or when the
  // thread has stopped and no other thread can access its objects.
  virtual void run(Task task) = 0;

  // On the thread only. Timers run in order of their time, then of their creation.
  virtual TimerId call_at(Instant when, Task task) = 0;
  TimerId call_after(Duration delay, Task task) { return call_at(now() + delay, std::move(task)); }
  // False if the timer no longer exists.
  virtual bool cancel(TimerId timer) = 0;

  // Any thread.
  virtual Instant now() const = 0;
  virtual bool on_thread() const = 0;
  virtual bool stopping() const = 0;

  // Notified on the thread when it is about to stop, so that pending calls are ended.
  class StopListener {
   public:
    virtual ~StopListener() = default;
    virtual void worker_stopping() = 0;
  };
  virtual void attach(StopListener& listener) = 0;
  virtual void detach(StopListener& listener) = 0;
};

}  // namespace fanfare::upstream
