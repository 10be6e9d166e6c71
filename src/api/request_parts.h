#pragma once
// What stands behind a public Request, on the stack of the one who serves it.

#include <string>
#include <string_view>

#include "api/path_pattern.h"
#include "fanfare/http.h"
#include "http/request_parser.h"
#include "session/server_session.h"

namespace fanfare::api {

class RequestParts {
 public:
  RequestParts(session::ServerSession& from, const http::Request& whole, const http::Target& where,
               const Parameters& places)
      : session(from), request(whole), target(where), parameters(places) {}

  Request handle() const { return Request(*this); }

  session::ServerSession& session;
  const http::Request& request;
  const http::Target& target;
  const Parameters& parameters;
};

}  // namespace fanfare::api
