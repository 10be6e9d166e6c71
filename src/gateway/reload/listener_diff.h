#pragma once
// How the listeners of two plans differ, for PlanDiff, and which of them are the same one.

#include <string>
#include <vector>

#include "gateway/reload/plan_diff.h"

namespace fanfare::gateway {

// What tells the listeners of a plan apart, in its order: their addresses, numbered where several have the same ("127.0.0.1:0").
std::vector<std::string> keys_of_listeners(const std::vector<ListenerPlan>& listeners);

// "127.0.0.1:4000", "[::1]:4000" or "unix:/run/fanfare/gateway.sock".
std::string name_of_listener(const server::ListenerOptions& at);

// Those that are served after a reload.
std::vector<ListenerPlan> diff_listeners(const std::vector<ListenerPlan>& running,
                                         const std::vector<ListenerPlan>& wanted,
                                         std::vector<PlanChange>& changes);

}  // namespace fanfare::gateway
