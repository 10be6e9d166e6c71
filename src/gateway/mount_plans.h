#pragma once
// The mounts of the gateway's kinds of ports, and what can be derived from a port's mounts.

#include <vector>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// One port for everything: each network at /{project}/evm/{chainId}, and the pages.
// `has_keys`: a key may follow, /{project}/evm/{chainId}/{key}.
std::vector<MountPlan> routed_mounts(bool has_metrics, bool has_keys = false);
// The two ports of a single network. The first has JSON-RPC over POST and WebSocket at /, and the pages. The
// second has the WebSocket at any path, for clients that are configured for two ports.
std::vector<MountPlan> http_port_mounts(bool has_metrics);
std::vector<MountPlan> websocket_port_mounts();
// /streams and /streams/sse. Before mounts that serve every path.
std::vector<MountPlan> stream_mounts();
// /canvas/{room} and what is below it. Before mounts that serve every path.
std::vector<MountPlan> canvas_mounts();
// A port for the streams alone: the WebSocket at every path.
std::vector<MountPlan> stream_port_mounts();
// /healthz, /readyz and, if wanted, /metrics.
// `is_own_port`: the metrics need no credentials.
std::vector<MountPlan> page_mounts(bool has_metrics, bool is_own_port = false);

// The admin API below /admin. Before mounts that serve every path.
std::vector<MountPlan> admin_mounts();

// The dashboard in `directory`, at every path that nothing else is at: they must be mounted last.
std::vector<MountPlan> web_mounts(std::string directory, std::string version);

// Networks are distinguished by their paths.
bool is_routed(const ListenerPlan& listener);
bool serves_http(const ListenerPlan& listener);       // JSON-RPC over POST
bool serves_websocket(const ListenerPlan& listener);  // if the plan has WebSockets at all
bool serves_metrics(const ListenerPlan& listener);
bool serves_web(const ListenerPlan& listener);  // the dashboard
bool serves_streams(const ListenerPlan& listener);
bool serves_admin(const ListenerPlan& listener);
bool serves_canvas(const ListenerPlan& listener);
bool serves_only_streams(const ListenerPlan& listener);  // a port of their own

}  // namespace fanfare::gateway
