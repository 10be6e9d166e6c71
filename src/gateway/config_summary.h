#pragma once
// The output of `fanfare check` for a valid configuration. It contains nothing that may be a secret.

#include <string>

#include "gateway/config.h"

namespace fanfare::gateway {

// A few lines, each ending in a line end: the listeners, the dashboard, the limits, every network with its upstreams.
// `web`: of the same file; the plan does not know whether the program has the files.
std::string summary_of(const ServePlan& plan, const WebConfig& web = {});

}  // namespace fanfare::gateway
