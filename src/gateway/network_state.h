#pragma once
// The state of a network, for people and for /readyz.

#include "gateway/gateway.h"
#include "gateway/network.h"

namespace fanfare::gateway {

// Any thread.
NetworkState state_of(const Network& network);

}  // namespace fanfare::gateway
