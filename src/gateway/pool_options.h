#pragma once
// The timeouts of a network's pool, from the configured timeouts of its nodes.

#include <string>

#include "gateway/serve_plan.h"
#include "upstream/pool.h"

namespace fanfare::gateway {

// A call, and also one attempt, gets at least the longest timeout of any node. With several nodes a call gets
// that time again for another attempt.
upstream::PoolOptions pool_options(std::string name, const UpstreamBackend& upstreams,
                                   const ReadSettings& reads);

}  // namespace fanfare::gateway
