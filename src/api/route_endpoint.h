#pragma once
// The engine's endpoint of one public route, as used by the implementation of its sessions.

#include <string_view>
#include <utility>

#include "api/border.h"
#include "api/connection.h"
#include "api/mounts.h"
#include "base/shared_bytes.h"
#include "fanfare/server.h"
#include "session/endpoint.h"
#include "session/session.h"

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

// Calls a handler of the session; an exception ends the session (border.h).
template <typename Call>
void tell(session::Session& engine, std::string_view handler, Call&& call) {
  if (!call_handler(handler, std::forward<Call>(call))) end_after_exception(engine);
}

// Every open session of the public API has an endpoint of this kind.
inline const WebSocketRoute& route_of(const session::Session& engine) {
  return static_cast<const RouteEndpointBase&>(engine.endpoint()).route();
}

// Sends an event of a topic. False: the session is closed.
inline bool send_event(session::Session& engine, const SharedBytes& frame) {
  if (engine.send_frame(frame) == session::SendResult::closed) return false;
  const WebSocketRoute& route = route_of(engine);
  if (route.counts_events) route.event_sent(Connection::of(engine).handle(), frame.size());
  return true;
}

}  // namespace fanfare::api
