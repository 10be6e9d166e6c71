#pragma once
// A program's routes on one loop: requests and upgrades to their handlers, sessions' events to their route.

#include <cstddef>
#include <cstdint>

#include "api/server_impl.h"
#include "session/server.h"

namespace fanfare::api {

// One router for each listener, all with the same routes. They share the lane of the loop, which lives and
// dies with them, on the loop's thread; so this is called there.
session::Server::HttpServices make_http_services(ServerImpl& impl, session::LoopServer& server,
                                                 std::uint32_t loop_index, std::size_t listener_count);

// RFC6455§7.4.1: ends the session with 1011, because a handler of it threw; without memory for that, at once.
// The peer does not learn what was thrown.
void end_after_exception(session::Session& engine);

// The engine's words for it.
session::HttpResponse to_engine(Response response);

}  // namespace fanfare::api
