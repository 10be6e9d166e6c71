#pragma once
// A node of a network, as its pool uses it: over HTTP or WebSocket, with one side for clients' calls and one for the
// network's own calls.

#include <memory>
#include <optional>

#include "base/byte_budget.h"
#include "gateway/serve_plan.h"
#include "upstream/backend.h"
#include "upstream/hint_connection.h"
#include "upstream/websocket_node.h"
#include "upstream/worker.h"

namespace fanfare::gateway {

struct UpstreamNode {
  std::unique_ptr<upstream::Backend> backend;
  upstream::WebSocketNode* pushing = nullptr;  // the part of the backend that pushes events; null over HTTP
};

// Worker thread. Data received over WebSocket counts in `received`, unless it is null. All must outlive the node.
UpstreamNode make_upstream_node(upstream::Worker& worker, const UpstreamPlan& upstream,
                                upstream::Observer* observer, ByteBudget* received);

// How to look for hints about its heads. Empty: they are not wanted, or it is a WebSocket node.
std::optional<upstream::HintOptions> hint_options(const UpstreamPlan& upstream, ByteBudget* received);

}  // namespace fanfare::gateway
