#pragma once
// Runs a task with every open session of one loop. Each turn handles some of the sessions, so that others on
// the loop do not wait for all of them. Used on the loop's thread; the loops share the task.

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "fanfare/session.h"
#include "session/loop_server.h"

namespace fanfare::api {

using SessionTask = std::function<void(Session&)>;

class SessionWalk : public std::enable_shared_from_this<SessionWalk> {
 public:
  static constexpr std::size_t kSessionsPerTurn = 256;

  // Visits the sessions that are open now, except those that have ended when their turn comes. If the task
  // throws, the exception is counted and logged, and the walk continues.
  static void start(session::LoopServer& server, std::shared_ptr<const SessionTask> task);

 private:
  SessionWalk(session::LoopServer& server, std::shared_ptr<const SessionTask> task)
      : server_(server), task_(std::move(task)) {}

  void go_on();

  session::LoopServer& server_;
  std::shared_ptr<const SessionTask> task_;
  std::vector<session::SessionId> sessions_;
  std::size_t done_ = 0;
};

}  // namespace fanfare::api
