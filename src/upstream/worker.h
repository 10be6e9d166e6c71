#pragma once
// One thread that owns every conversation with a network's nodes: curl's multi loop, timers, and work posted
// from other threads. Networks have one each, up to a limit (gateway/upstream_threads.h). What watches the
// network (pollers, pools) runs on it too, and so needs no lock.
//
// A Worker outlives the endpoints made on it: declare it before them.

#include <memory>
#include <string>

#include "base/time.h"
#include "upstream/executor.h"

namespace fanfare::upstream {

struct WorkerOptions {
  // As `top -H` shows it; at most 15 characters.
  std::string thread_name = "upstream";
  // Connections kept open between calls, all endpoints together.
  long idle_connections_max = 256;
  // From stop() on: for ending calls and running what was posted before.
  Duration stop_limit = std::chrono::milliseconds(500);
};

class Worker final : public Executor {
 public:
  explicit Worker(WorkerOptions options = {});
  ~Worker() override;

  // Ends every outstanding call with FailureKind::shutdown, runs what was posted, forgets the timers, joins
  // the thread. What was posted and has not begun within WorkerOptions::stop_limit is destroyed unrun, and
  // the log says how much: a full queue cannot hold up the end. A task that has begun is waited for. Any
  // other thread; a second time does nothing.
  void stop();
  // As stop(), without waiting: several workers end at the same time. Any thread.
  void begin_stop();

  bool post(Task task) override;
  void run(Task task) override;
  TimerId call_at(Instant when, Task task) override;
  bool cancel(TimerId timer) override;
  Instant now() const override;
  bool on_thread() const override;
  bool stopping() const override;
  void attach(StopListener& listener) override;
  void detach(StopListener& listener) override;

  // What this room's endpoints use; worker thread only. A transfer is a curl easy handle, spelled void* so
  // that curl's header stays in the .cc files.
  class Transfer {
   public:
    virtual ~Transfer() = default;
    // The transfer is over and no longer in the loop; `curl_code` is a CURLcode.
    virtual void finished(int curl_code) = 0;
  };
  // False when the worker is stopping: the transfer was not taken.
  bool start(void* easy, Transfer& transfer);
  void abandon(void* easy);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fanfare::upstream
