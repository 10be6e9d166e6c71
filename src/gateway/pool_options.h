#pragma once
// How long a network's nodes may take, from what the file says of each.

#include <string>

#include "gateway/serve_plan.h"
#include "upstream/pool.h"

namespace fanfare::gateway {

// A call has at least as long as the most patient node is given, and one attempt too; with several nodes
// there is as much time again for another one.
upstream::PoolOptions pool_options(std::string name, const UpstreamBackend& upstreams,
                                   const ReadSettings& reads);

}  // namespace fanfare::gateway
