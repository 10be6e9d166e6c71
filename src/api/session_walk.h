#pragma once
// A task that is run with every open session of one loop: a share of them in each turn, so that nobody on the
// loop waits for all of them. The loop's thread, but for the task, which the loops share.

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

  // The sessions are those that are open now; one that has ended when its turn comes is left out. What the
  // task throws is noted, and the next session is next.
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
