#include "check/against.h"

#include <string>

#include "gateway/config.h"
#include "gateway/places.h"
#include "gateway/reload/listener_conflicts.h"
#include "gateway/reload/plan_diff.h"

namespace fanfare::app {

int run_check_against(const std::string& file, const std::string& running_file,
                      const gateway::EnvironmentLookup& environment, std::ostream& out,
                      std::ostream& complaints, const std::optional<std::string>& own_page,
                      const PageFlags& flags) {
  const auto running = gateway::load_config(running_file, environment);
  const auto wanted = gateway::load_config(file, environment);
  for (const auto* config : {&running, &wanted}) {
    if (!*config) complaints << config->error().messages() << "\n";
  }
  if (!running || !wanted) return 2;
  const auto plan = plan_with_page(*wanted, file, own_page, flags);
  if (!plan) {
    complaints << file << ": " << plan.error() << "\n";
    return 2;
  }
  // The running server may have another page of its own, or none any more: what it serves is not changed by that.
  const auto before = plan_with_page(*running, running_file, own_page, flags);
  const gateway::ServePlan present = before ? *before : gateway::plan_from(*running);
  bool is_good = true;
  for (const gateway::PlaceProblem& problem : gateway::find_place_problems(*plan)) {
    complaints << file << (problem.is_warning ? ": warning: " : ": ") << problem.text << "\n";
    is_good = is_good && problem.is_warning;
  }
  const gateway::PlanDiff diff = gateway::diff_plans(present, *plan);
  for (const std::string& conflict : gateway::listener_conflicts(present, diff.result)) {
    complaints << file << ": " << conflict << "\n";
    is_good = false;
  }
  if (!is_good) return 2;
  for (const gateway::PlanChange& change : diff.changes) out << change.line() << "\n";
  if (diff.changes.empty()) out << "nothing would change\n";
  if (!diff.refusal.empty()) out << diff.refusal << "\n";
  return diff.needs_restart() ? 1 : 0;
}

}  // namespace fanfare::app
