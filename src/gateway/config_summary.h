#pragma once
// What `fanfare check` prints about a good configuration, and nothing that may be a secret in it.

#include <string>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// A few lines, each ending in a line end: the listeners, the limits, every network with its upstreams.
std::string summary_of(const ServePlan& plan);

}  // namespace fanfare::gateway
