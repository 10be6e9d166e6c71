#pragma once
// JSON-RPC of a program (fanfare/rpc.h) at a path of a server, on one loop: POST, and WebSockets whose sessions
// are those of the public API.

#include <functional>
#include <memory>
#include <string>

#include "api/loop_context.h"
#include "api/server_impl.h"
#include "fanfare/server.h"
#include "server/mount.h"

namespace fanfare::api {

// `upgrades` makes the mount that serves the sessions of a route; the route outlives it.
std::shared_ptr<server::Mount> make_rpc_mount(
    LoopContext& loop_context, const RpcEntry& entry,
    const std::function<std::shared_ptr<server::Mount>(const WebSocketRoute&)>& upgrades);

// Why the server cannot start with this service; empty: it can.
std::string problem_of(const RpcEntry& entry, const ServerOptions& server);

}  // namespace fanfare::api
