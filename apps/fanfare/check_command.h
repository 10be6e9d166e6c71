#pragma once
// `fanfare check FILE`: reads a configuration, says what it means or what is wrong with it.

#include <ostream>
#include <string>

#include "gateway/config_env.h"

namespace fanfare::app {

// The exit status: 0 with a summary on `out`, or 2 with the one error on `complaints`.
int run_check(const std::string& file, const gateway::EnvironmentLookup& environment, std::ostream& out,
              std::ostream& complaints);

}  // namespace fanfare::app
