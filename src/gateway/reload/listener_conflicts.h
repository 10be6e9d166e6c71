#pragma once
// Why the listeners of a plan cannot be bound while those of the running one are open: one of them has the address. A reload binds what
// is new before it closes what goes, because binding may fail and must then change nothing.

#include <string>
#include <vector>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// The key that names the listener's address in a configuration: "server.httpPort".
std::string key_of_listener(const ListenerPlan& listener);
std::string key_of_admin_listener(const server::ListenerOptions& at);

// A line for each, for the operator: both keys, and what to do. `after`: what a reload would serve (PlanDiff::result).
std::vector<std::string> listener_conflicts(const ServePlan& running, const ServePlan& after);

}  // namespace fanfare::gateway
