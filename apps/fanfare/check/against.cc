#include "check/against.h"

#include <string>
#include <vector>

#include "gateway/config.h"
#include "gateway/places.h"
#include "gateway/reload/plan_diff.h"

namespace fanfare::app {

int run_check_against(const std::string& file, const std::string& running_file,
                      const gateway::EnvironmentLookup& environment, std::ostream& out,
                      std::ostream& complaints) {
  const auto running = gateway::load_config(running_file, environment);
  const auto wanted = gateway::load_config(file, environment);
  for (const auto* config : {&running, &wanted}) {
    if (!*config) complaints << config->error().messages() << "\n";
  }
  if (!running || !wanted) return 2;
  const gateway::ServePlan plan = gateway::plan_from(*wanted);
  const std::vector<std::string> problems = gateway::problems_with_places(plan);
  for (const std::string& problem : problems) complaints << file << ": " << problem << "\n";
  if (!problems.empty()) return 2;
  const gateway::PlanDiff diff = gateway::diff_plans(gateway::plan_from(*running), plan);
  for (const gateway::PlanChange& change : diff.changes) out << change.line() << "\n";
  if (diff.changes.empty()) out << "nothing would change\n";
  if (!diff.refusal.empty()) out << diff.refusal << "\n";
  return diff.needs_restart() ? 1 : 0;
}

}  // namespace fanfare::app
