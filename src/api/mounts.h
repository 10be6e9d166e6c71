#pragma once
// A program's routes on one loop: passes requests and upgrades to their handlers, and session events to their
// route.

#include <cstddef>
#include <cstdint>

#include "api/server_impl.h"
#include "session/server.h"

namespace fanfare::api {

// Creates one router for each listener, all with the same routes. They share the loop's part of the server,
// which is created and destroyed with them. Must be called on the loop's thread.
session::Server::HttpServices make_http_services(ServerImpl& impl, session::LoopServer& server,
                                                 std::uint32_t loop_index, std::size_t listener_count);

// RFC6455§7.4.1: ends the session with 1011, because its handler threw. Without memory for a Close frame,
// ends it at once. The exception is not revealed to the peer.
void end_after_exception(session::Session& engine);

// Converts a response to the engine's type.
session::HttpResponse to_engine(Response response);

}  // namespace fanfare::api
