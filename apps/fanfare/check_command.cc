#include "check_command.h"

#include "gateway/config.h"
#include "gateway/config_summary.h"

namespace fanfare::app {

int run_check(const std::string& file, const gateway::EnvironmentLookup& environment, std::ostream& out,
              std::ostream& complaints) {
  const auto config = gateway::load_config(file, environment);
  if (!config) {
    complaints << config.error().message() << "\n";
    return 2;
  }
  out << file << " is good\n" << gateway::summary_of(gateway::plan_from(*config));
  return 0;
}

}  // namespace fanfare::app
