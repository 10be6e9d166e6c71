#pragma once
// The words on the terminal once the gateway listens: where, and what to try there.

#include <string>
#include <string_view>
#include <vector>

#include "gateway/serve_plan.h"
#include "net/socket.h"

namespace fanfare::gateway {

// `addresses` are those of plan.listeners, in their order. `program` is how this program was called, for
// commands that can be pasted into the same shell. Every line of it works as it stands (under TLS: for who
// trusts the certificate).
std::string welcome_text(const ServePlan& plan, const std::vector<net::Address>& addresses,
                         std::string_view program);

}  // namespace fanfare::gateway
