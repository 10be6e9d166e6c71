#pragma once
// What stands behind a public Request, on the stack of the one who serves it.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/http.h"
#include "http/request_parser.h"
#include "http/target.h"
#include "server/path_pattern.h"
#include "session/server_session.h"

namespace fanfare::api {

class RequestParts {
 public:
  RequestParts(session::ServerSession& from, const http::Request& whole, const server::Parameters& places)
      : session(from), request(whole), parameters(places) {}

  Request handle() const { return Request(*this); }
  // Good as long as this. The query is decoded the first time.
  std::optional<std::string_view> query_parameter(std::string_view name) const;
  // Collected the first time.
  std::span<const HeaderView> headers() const;
  std::span<const Cookie> cookies() const;

  session::ServerSession& session;
  const http::Request& request;
  const server::Parameters& parameters;

 private:
  mutable std::optional<std::vector<http::Parameter>> query_;
  mutable std::optional<std::vector<HeaderView>> headers_;
  mutable std::optional<std::vector<Cookie>> cookies_;
};

}  // namespace fanfare::api
