#pragma once
// `fanfare check FILE`: reads a configuration and its certificate, and prints a summary or the error.

#include <optional>
#include <ostream>
#include <string>

#include "gateway/config_env.h"
#include "serve/page.h"

namespace fanfare::app {

// `own_page`: the directory with the files of the dashboard that belongs to this program. `flags`: those with which `serve` will run.
// Returns the exit status: 0 with a summary on `out` and warnings (an expired certificate) on `complaints`, or 2 with the error on
// `complaints`.
int run_check(const std::string& file, const gateway::EnvironmentLookup& environment, std::ostream& out,
              std::ostream& complaints, bool system = false, const std::optional<std::string>& own_page = {},
              const PageFlags& flags = {});

}  // namespace fanfare::app
