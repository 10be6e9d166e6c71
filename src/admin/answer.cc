#include "admin/answer.h"

#include "session/http_connection.h"

namespace fanfare::admin {

Answer::~Answer() {
  if (server_ != nullptr) give(Problem{.status = 503, .detail = "the server is stopping"});
}

void Answer::give(session::HttpResponse response) {
  std::exchange(server_, nullptr)
      ->post(loop_, [connection = connection_, response = std::move(response)](session::LoopServer& loop) {
        if (auto* const there = loop.sessions().find_http(connection)) there->respond(response);
      });
}

}  // namespace fanfare::admin
