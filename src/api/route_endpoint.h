#pragma once
// The engine's endpoint of one public route, as the parts behind its sessions see it.

#include <string_view>
#include <utility>

#include "api/border.h"
#include "api/mounts.h"
#include "fanfare/server.h"
#include "session/endpoint.h"
#include "session/server_session.h"

namespace fanfare::api {

class RouteEndpointBase : public session::Endpoint {
 public:
  const WebSocketRoute& route() const { return route_; }

 protected:
  RouteEndpointBase(const session::SessionSettings& settings, const WebSocketRoute& route)
      : Endpoint(settings), route_(route) {}

 private:
  const WebSocketRoute& route_;
};

// Calls a handler of the session; one that throws ends it (border.h).
template <typename Call>
void tell(session::Session& engine, std::string_view handler, Call&& call) {
  if (!call_handler(handler, std::forward<Call>(call))) end_after_exception(engine);
}

// Every session of the public API has an endpoint of this kind once it is open.
inline const WebSocketRoute& route_of(const session::ServerSession& engine) {
  return static_cast<const RouteEndpointBase&>(engine.endpoint()).route();
}

}  // namespace fanfare::api
