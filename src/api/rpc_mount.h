#pragma once
// JSON-RPC of a program (fanfare/rpc.h) at a path of a server, on one loop: POST, and WebSockets whose sessions
// are those of the public API.

#include <functional>
#include <memory>
#include <optional>
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

// Why the server cannot start with its JSON-RPC services. Empty: it can.
std::optional<std::string> find_wrong_rpc(const Routes& routes, const ServerOptions& server);

}  // namespace fanfare::api
