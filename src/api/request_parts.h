#pragma once
// The implementation of a public Request; lives on the stack of the code that serves it.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/http.h"
#include "http/request_parser.h"
#include "http/target.h"
#include "server/path_pattern.h"
#include "session/http_connection.h"

namespace fanfare::api {

class RequestParts {
 public:
  RequestParts(const session::HttpConnection& from, const http::Request& whole,
               const server::Parameters& places)
      : session(from), request(whole), parameters(places) {}

  Request handle() const { return Request(*this); }
  // Valid during the lifetime of this object. The query is decoded on first use.
  std::optional<std::string_view> query_parameter(std::string_view name) const;
  // Collected on first use.
  std::span<const HeaderView> headers() const;
  std::span<const Cookie> cookies() const;

  const session::HttpConnection& session;
  const http::Request& request;
  const server::Parameters& parameters;

 private:
  mutable std::optional<std::vector<http::Parameter>> query_;
  mutable std::optional<std::vector<HeaderView>> headers_;
  mutable std::optional<std::vector<Cookie>> cookies_;
};

}  // namespace fanfare::api
