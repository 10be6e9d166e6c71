#pragma once
// Decides whether a server has room for new work: a router asks it before credentials are checked, so that a refusal
// costs little. Connections that are open already, and what was accepted before, are not its concern.

#include <optional>

#include "http/request_parser.h"
#include "session/http_service.h"

namespace fanfare::server {

class WorkGuard {
 public:
  WorkGuard() = default;
  virtual ~WorkGuard() = default;
  WorkGuard(const WorkGuard&) = delete;
  WorkGuard& operator=(const WorkGuard&) = delete;

  // Called on the loop's thread. Set: the answer in place of the mount's, such as 503 with Retry-After.
  virtual std::optional<session::HttpResponse> refuse_request(const http::Request& request) = 0;
  // For a request that asks for a WebSocket. It may also be accepted by an endpoint that closes it at once.
  virtual std::optional<session::UpgradeDecision> refuse_upgrade(const http::Request& request) = 0;
};

}  // namespace fanfare::server
