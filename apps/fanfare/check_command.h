#pragma once
// `fanfare check FILE`: reads a configuration and the certificate that it names, says what they mean or what
// is wrong with them.

#include <ostream>
#include <string>

#include "gateway/config_env.h"

namespace fanfare::app {

// The exit status: 0 with a summary on `out` and warnings on `complaints` (a certificate has expired), or 2
// with the one error there.
int run_check(const std::string& file, const gateway::EnvironmentLookup& environment, std::ostream& out,
              std::ostream& complaints);

}  // namespace fanfare::app
