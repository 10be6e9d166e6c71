#pragma once
// Combines flags, environment and file of `fanfare serve` into one plan.

#include <expected>
#include <optional>
#include <string>

#include "arguments.h"
#include "gateway/config_env.h"
#include "gateway/serve_plan.h"

namespace fanfare::app {

// FANFARE_CONFIG replaces --config if no other source is given; FANFARE_LOG_LEVEL replaces --log-level. A
// flag overrides the environment, and both override the file. The error is printable text without a final
// newline: the error in the file, or the invalid flag and its valid values.
// `own_page`: the directory with the files of the dashboard that belongs to this program. Without a file the
// dashboard is served if it is found; with a file, if `web.enabled` asks for it, and then it must be found.
std::expected<gateway::ServePlan, std::string> plan_of(const ServeArguments& arguments,
                                                       const gateway::EnvironmentLookup& environment,
                                                       const std::optional<std::string>& own_page = {});

}  // namespace fanfare::app
