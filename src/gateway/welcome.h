#pragma once
// The terminal output once the gateway listens: its addresses, and commands to try.

#include <string>
#include <string_view>
#include <vector>

#include "gateway/gateway.h"
#include "gateway/serve_plan.h"
#include "net/socket.h"

namespace fanfare::gateway {

// `addresses` are those of plan.listeners and `states` those of plan.networks, in their order. `program` is how this program was called, for
// commands that can be pasted into the same shell. Every command works as printed (under TLS: if the
// certificate is trusted).
std::string welcome_text(const ServePlan& plan, const std::vector<net::Address>& addresses,
                         const std::vector<NetworkState>& states, std::string_view program);

}  // namespace fanfare::gateway
