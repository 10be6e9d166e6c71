#include "size/command.h"

#include <utility>
#include <vector>

#include "size/plan.h"
#include "size/report.h"

namespace fanfare::app {
namespace {

constexpr int kStatusUsage = 2;

int fail(const std::string& error, std::ostream& complaints) {
  complaints << "fanfare size: " << error << "\n";
  return kStatusUsage;
}

}  // namespace

int run_size(const SizeArguments& arguments, std::ostream& out, std::ostream& complaints) {
  if (const auto checked = check_size(arguments); !checked) return fail(checked.error(), complaints);
  std::vector<SizePlan> plans;
  for (const double clients : arguments.clients) {
    auto plan = plan_size(arguments, clients);
    if (!plan) return fail(plan.error(), complaints);
    plans.push_back(std::move(*plan));
  }
  if (arguments.json) {
    out << size_json(plans);
  } else if (arguments.markdown) {
    out << size_markdown(arguments, plans);
  } else {
    for (std::size_t i = 0; i < plans.size(); ++i)
      out << (i > 0 ? "\n\n" : "") << size_text(arguments, plans[i]);
  }
  return 0;
}

}  // namespace fanfare::app
