#include "api/session_walk.h"

#include <algorithm>
#include <utility>

#include "api/border.h"
#include "api/connection.h"

namespace fanfare::api {

void SessionWalk::start(session::LoopServer& server, std::shared_ptr<const SessionTask> task) {
  const std::shared_ptr<SessionWalk> walk(new SessionWalk(server, std::move(task)));
  server.sessions().for_each_session([&](const session::Session& session) {
    if (session.is_open()) walk->sessions_.push_back(session.id());
  });
  walk->go_on();
}

void SessionWalk::go_on() {
  const std::size_t end = std::min(sessions_.size(), done_ + kSessionsPerTurn);
  while (done_ < end) {
    const session::Session* const engine = server_.sessions().find(sessions_[done_++]);
    if (engine == nullptr || !engine->is_open()) continue;
    call_handler("for_each_session", [&] { (*task_)(Connection::of(*engine).handle()); });
  }
  if (done_ == sessions_.size()) return;
  // The mailbox is closed before the server is destroyed.
  server_.loop().post([self = shared_from_this()] { self->go_on(); });
}

}  // namespace fanfare::api
