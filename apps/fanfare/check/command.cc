#include "check/command.h"

#include <algorithm>
#include <vector>

#include "gateway/config.h"
#include "gateway/config_summary.h"
#include "gateway/config_yaml.h"
#include "gateway/defend/system_limits.h"
#include "gateway/places.h"

namespace fanfare::app {

int run_check(const std::string& file, const gateway::EnvironmentLookup& environment, std::ostream& out,
              std::ostream& complaints, bool system, const std::optional<std::string>& own_page,
              const PageFlags& flags) {
  const auto config = gateway::load_config(file, environment);
  if (!config) {
    complaints << config.error().messages() << "\n";
    return 2;
  }
  const auto with_page = plan_with_page(*config, file, own_page, flags);
  if (!with_page) {
    complaints << file << ": " << with_page.error() << "\n";
    return 2;
  }
  const gateway::ServePlan& plan = *with_page;
  const std::vector<gateway::PlaceProblem> places = gateway::find_place_problems(plan);
  for (const gateway::PlaceProblem& problem : places) {
    complaints << file << (problem.is_warning ? ": warning: " : ": ") << problem.text << "\n";
  }
  if (!std::ranges::all_of(places, &gateway::PlaceProblem::is_warning)) return 2;
  out << file << " is good\n" << gateway::summary_of(plan, config->web);
  if (!system) return 0;
  const auto limits = gateway::system_limits(gateway::needs_of(plan), gateway::descriptor_limit_max());
  out << "limits of this system:\n" << gateway::describe(limits);
  return std::ranges::any_of(limits, &gateway::SystemLimit::is_low) ? 1 : 0;
}

}  // namespace fanfare::app
