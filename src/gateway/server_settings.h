#pragma once
// The plan's settings as those of the rooms below. A small memory ceiling lowers some of them.

#include <cstddef>

#include "base/byte_budget.h"
#include "gateway/defend/defence.h"
#include "gateway/rpc_service.h"
#include "gateway/serve_plan.h"
#include "session/server.h"
#include "session/settings.h"

namespace fanfare::gateway {

session::SessionSettings session_settings(const WebSocketSettings& plan, const Defence& defence);
// `unfinished` must outlive the server.
session::ServerOptions server_options(const ServePlan& plan, ByteBudget& unfinished);
// Whether somebody wants to know of each connection how old it is, and what it sent.
bool keeps_facts(const ServePlan& plan);
// The parts of these that a reload changes.
session::HttpSettings http_settings(const ServePlan& plan);
session::AcceptLimits accept_limits(const ServePlan& plan);
// Of heartbeats and deadlines.
Duration sweep_interval(const ServePlan& plan);
RpcLimits rpc_limits(const ServePlan& plan);
// Of requests in flight and their answers, and of what has come in part, for all clients.
std::size_t held_bytes_max(const ServePlan& plan, const Defence& defence);
std::size_t unfinished_bytes_max(const ServePlan& plan, const Defence& defence);

}  // namespace fanfare::gateway
