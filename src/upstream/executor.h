#pragma once
// The one thread on which a network's nodes are spoken to, as those who live on it see it: time, timers, and
// work handed over. The Worker is a real one; a simulation has one whose time is its own.

#include <compare>
#include <cstdint>

#include "base/time.h"
#include "fanfare/unique_function.h"

namespace fanfare::upstream {

// Names a timer from call_at() until it ran or was cancelled. The default one names none.
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

  // Runs `task` soon on the thread. Any thread, the own one too. False, and the task is destroyed unrun, once
  // it has stopped.
  virtual bool post(Task task) = 0;
  // Runs `task` on the thread and returns when it has run; at once when called there, or when the thread has
  // stopped and nobody else can be touching what it owns.
  virtual void run(Task task) = 0;

  // On the thread only. Timers run in order of their time, then of their creation.
  virtual TimerId call_at(Instant when, Task task) = 0;
  TimerId call_after(Duration delay, Task task) { return call_at(now() + delay, std::move(task)); }
  // False when there is no such timer any more.
  virtual bool cancel(TimerId timer) = 0;

  // Any thread.
  virtual Instant now() const = 0;
  virtual bool on_thread() const = 0;
  virtual bool stopping() const = 0;

  // Told when the thread is about to stop, so that what waits for answers is ended; on the thread.
  class StopListener {
   public:
    virtual ~StopListener() = default;
    virtual void worker_stopping() = 0;
  };
  virtual void attach(StopListener& listener) = 0;
  virtual void detach(StopListener& listener) = 0;
};

}  // namespace fanfare::upstream
