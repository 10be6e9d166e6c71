#pragma once
// The first part of a gateway's stop: its connections are closed.

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>

#include "gateway/stop_times.h"
#include "session/server.h"

namespace fanfare::gateway {

// Closes connections at a stop, once. It must outlive the server's loops.
class Stopping {
 public:
  // Closes them one after another over the spread, and stops the server by the deadline less the part of the workers. `before_stop`
  // is called between the two. Returns how many were dropped. Not on a loop's thread.
  std::size_t close_connections(session::Server& server, const StopTimes& times,
                                const std::function<void()>& before_stop);
  // Any thread, before or during close_connections(), which then drops the connections that are left.
  void hurry();

 private:
  void note_spread_done();

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  session::Server* closing_ = nullptr;  // while it closes connections
  bool is_hurried_ = false;
  bool is_spread_done_ = false;
};

}  // namespace fanfare::gateway
