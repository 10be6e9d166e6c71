#pragma once
// The output of `fanfare check` for a valid configuration. It contains nothing that may be a secret.

#include <string>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// A few lines, each ending in a line end: the listeners, the limits, every network with its upstreams.
std::string summary_of(const ServePlan& plan);

}  // namespace fanfare::gateway
