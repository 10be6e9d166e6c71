#include "gateway/pool_options.h"

#include <algorithm>
#include <utility>

namespace fanfare::gateway {

upstream::PoolOptions pool_options(std::string name, const UpstreamBackend& upstreams,
                                   const ReadSettings& reads) {
  upstream::PoolOptions options{.name = std::move(name)};
  for (const UpstreamPlan& upstream : upstreams) {
    options.attempt_timeout = std::max(options.attempt_timeout, upstream.timeout);
  }
  options.timeout = std::max(options.timeout, options.attempt_timeout * (upstreams.size() > 1 ? 2 : 1));
  if (reads.hedge_after > Duration::zero()) options.hedge_after = reads.hedge_after;
  return options;
}

}  // namespace fanfare::gateway
