#pragma once
// The end of a network's connections after a reload that has removed it.

#include "base/time.h"
#include "gateway/loop_sites.h"
#include "gateway/networks.h"

namespace fanfare::gateway {

// On every loop, over the spread; then the network loses its nodes. All must outlive the server's loops.
void close_clients_of(LiveNetwork& live, session::Server& server, const LoopSites& sites, Duration spread);

}  // namespace fanfare::gateway
