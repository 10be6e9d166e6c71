#pragma once
// The configuration in effect as JSON, for the admin API: no secrets, and no hashes of them.

#include <string>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// {"summary": [lines of `fanfare check`], "settings": {...}}
std::string configuration_text(const ServePlan& plan);

}  // namespace fanfare::gateway
