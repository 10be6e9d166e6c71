#pragma once
// What `fanfare serve` was asked for: flags, environment and file become one plan.

#include <expected>
#include <string>

#include "arguments.h"
#include "gateway/config_env.h"
#include "gateway/serve_plan.h"

namespace fanfare::app {

// FANFARE_CONFIG stands for --config if no other source is given, FANFARE_LOG_LEVEL for --log-level. A flag
// wins over the environment, and both over the file. The error is what to print, without a line end at its
// end: the one error of the file, or which flag is wrong and what would be right.
std::expected<gateway::ServePlan, std::string> plan_of(const ServeArguments& arguments,
                                                       const gateway::EnvironmentLookup& environment);

}  // namespace fanfare::app
