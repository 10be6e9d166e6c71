#pragma once
// The sockets that a service manager passed on, in the place of those that a plan would open.

#include <span>

#include "gateway/serve_plan.h"
#include "net/inherited_sockets.h"

namespace fanfare::gateway {

// Replaces listeners of the plan by the sockets that were passed for them (ListenerPlan::socket_name), one
// listener for each. A socket with another name, or none, is one more for the first listener. Listeners of a
// name that got no socket open their own.
void take_inherited(ServePlan& plan, std::span<const net::InheritedSocket> sockets);

}  // namespace fanfare::gateway
