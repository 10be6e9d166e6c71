#pragma once
// The answer to a request that is given later, by whichever thread knows it. If it is dropped, the client gets a
// 503: the server is stopping.

#include <cstddef>
#include <utility>

#include "admin/problem.h"
#include "session/server.h"

namespace fanfare::admin {

class Answer {
 public:
  // Of a request on this loop of this server, which must outlive the answer.
  Answer(session::Server& server, std::size_t loop, session::SessionId connection)
      : server_(&server), loop_(loop), connection_(connection) {}
  Answer(Answer&& other) noexcept
      : server_(std::exchange(other.server_, nullptr)), loop_(other.loop_), connection_(other.connection_) {}
  Answer& operator=(Answer&&) = delete;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  ~Answer();

  // Once, on any thread.
  void give(session::HttpResponse response);
  void give(const Problem& problem) { give(response_of(problem)); }

 private:
  session::Server* server_;  // null: given, or moved from
  std::size_t loop_;
  session::SessionId connection_;
};

}  // namespace fanfare::admin
