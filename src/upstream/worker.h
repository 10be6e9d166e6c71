#pragma once
// One thread that owns every conversation with a network's nodes: curl's multi loop, timers, and work posted
// from other threads. What watches the network (pollers, pools) runs on it too, and so needs no lock.
//
// A Worker outlives the endpoints made on it: declare it before them.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/time.h"

namespace fanfare::upstream {

// Names a timer from call_at() until it ran or was cancelled. The default one names none.
struct TimerId {
  Instant at{};
  std::uint64_t serial = 0;
  auto operator<=>(const TimerId&) const = default;
};

struct WorkerOptions {
  // As `top -H` shows it; at most 15 characters.
  std::string thread_name = "upstream";
  // Connections kept open between calls, all endpoints together.
  long idle_connections_max = 256;
};

class Worker {
 public:
  using Task = std::move_only_function<void()>;

  explicit Worker(WorkerOptions options = {});
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Ends every outstanding call with FailureKind::shutdown, runs what was posted, forgets the timers, joins
  // the thread. Any other thread; a second time does nothing.
  void stop();

  // Runs `task` soon on the worker. Any thread, the worker too. False, and the task is destroyed unrun, once
  // the worker has stopped.
  bool post(Task task);
  // Runs `task` on the worker and returns when it has run; at once when called there, or when the worker has
  // stopped and nobody else can be touching what it owns.
  void run(Task task);

  // Worker thread only. Timers run in order of their time, then of their creation.
  TimerId call_at(Instant when, Task task);
  TimerId call_after(Duration delay, Task task) { return call_at(now() + delay, std::move(task)); }
  // False when there is no such timer any more.
  bool cancel(TimerId timer);

  // Any thread.
  Instant now() const;
  bool on_thread() const;
  bool stopping() const;

  // What this room's endpoints use; worker thread only. A transfer is a curl easy handle, spelled void* so
  // that curl's header stays in the .cc files.
  class Transfer {
   public:
    virtual ~Transfer() = default;
    // The transfer is over and no longer in the loop; `curl_code` is a CURLcode.
    virtual void finished(int curl_code) = 0;
  };
  class StopListener {
   public:
    virtual ~StopListener() = default;
    virtual void worker_stopping() = 0;
  };
  // False when the worker is stopping: the transfer was not taken.
  bool start(void* easy, Transfer& transfer);
  void abandon(void* easy);
  void attach(StopListener& listener);
  void detach(StopListener& listener);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fanfare::upstream
