#pragma once
// `fanfare check FILE --against OTHER`: what a reload would change.

#include <optional>
#include <ostream>
#include <string>

#include "gateway/config_env.h"
#include "serve/page.h"

namespace fanfare::app {

// Prints one line for each difference to `out` (gateway::PlanChange::line()), or one that says there is none. Returns the exit status: 0,
// 1 if something needs a restart, or 2 if one of the files has an error, which is on `complaints`. `flags`: those with which the gateway runs.
int run_check_against(const std::string& file, const std::string& running_file,
                      const gateway::EnvironmentLookup& environment, std::ostream& out,
                      std::ostream& complaints, const std::optional<std::string>& own_page = {},
                      const PageFlags& flags = {});

}  // namespace fanfare::app
