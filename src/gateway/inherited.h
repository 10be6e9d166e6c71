#pragma once
// Sockets passed by a service manager, which replace those that a plan would open.

#include <span>

#include "gateway/serve_plan.h"
#include "net/inherited_sockets.h"

namespace fanfare::gateway {

// Replaces listeners of the plan by the sockets passed for them (ListenerPlan::socket_name), one listener for
// each. A socket with an unknown name, or none, becomes an additional socket of the first listener. Listeners
// whose name got no socket open their own.
void take_inherited(ServePlan& plan, std::span<const net::InheritedSocket> sockets);

}  // namespace fanfare::gateway
