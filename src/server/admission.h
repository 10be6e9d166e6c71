#pragma once
// Decides whether a caller may use a mount, before the mount is called. The router knows no credentials: it passes on
// what the admission attached.

#include <expected>
#include <memory>

#include "http/request_parser.h"
#include "server/path_pattern.h"
#include "session/http_connection.h"
#include "session/http_service.h"

namespace fanfare::server {

// What is known of a caller that was admitted. A mount knows the class of its server's admission.
class Admitted {
 public:
  Admitted() = default;
  virtual ~Admitted() = default;
  Admitted(const Admitted&) = delete;
  Admitted& operator=(const Admitted&) = delete;
};

class Admission {
 public:
  Admission() = default;
  virtual ~Admission() = default;
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Called on the loop's thread, for a request that would reach a guarded mount. `is_upgrade`: it asks for a
  // WebSocket. The error is the answer.
  virtual std::expected<std::shared_ptr<Admitted>, session::HttpResponse> admit(
      const session::HttpConnection& session, const http::Request& request, const PathPattern::Match& match,
      bool is_upgrade) = 0;
};

}  // namespace fanfare::server
