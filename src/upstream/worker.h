#pragma once
// One thread for all communication with a network's nodes: an event loop for our own HTTP client, curl's multi
// loop while it has transfers, timers, and tasks posted from other threads. Each network has its own, up to a limit (gateway/upstream_threads.h). The network's pollers
// and pools run on it too, and so need no lock.
//
// A Worker must outlive the endpoints made on it: declare it before them.

#include <memory>
#include <string>

#include "base/time.h"
#include "net/loop.h"
#include "upstream/executor.h"

namespace fanfare::upstream {

struct WorkerOptions {
  // As `top -H` shows it; at most 15 characters.
  std::string thread_name = "upstream";
  // Connections that curl keeps open between calls, for all endpoints together.
  long idle_connections_max = 256;
  net::LoopKind loop_kind = net::LoopKind::automatic;
  Duration busy_poll = {};  // LoopOptions::busy_poll
  // The time limit after stop(), for ending calls and running tasks posted before.
  Duration stop_limit = std::chrono::milliseconds(500);
};

class Worker final : public Executor {
 public:
  explicit Worker(WorkerOptions options = {});
  ~Worker() override;

  // Ends every outstanding call with FailureKind::shutdown, runs the tasks posted before, discards the
  // timers, joins the thread. Tasks that have not begun within WorkerOptions::stop_limit are destroyed unrun,
  // and the log says how many: a full queue cannot delay the end. A task that has begun is waited for. Any
  // other thread; a second call does nothing.
  void stop();
  // Like stop(), without waiting, so that several workers end at the same time. Any thread.
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

  // For this room's endpoints; worker thread only. The loop ends with the thread, after StopListener was called:
  // nothing may use it later.
  net::Loop& loop();
  // A transfer is a curl easy handle; its type is void* so
  // that curl's header stays in the .cc files.
  class Transfer {
   public:
    virtual ~Transfer() = default;
    // The transfer is over and no longer in the loop; `curl_code` is a CURLcode.
    virtual void finished(int curl_code) = 0;
  };
  // Also if a stop was asked for a moment ago: StopListener then ends it with the others.
  void start(void* easy, Transfer& transfer);
  void abandon(void* easy);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fanfare::upstream
