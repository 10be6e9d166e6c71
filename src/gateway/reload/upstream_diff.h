#pragma once
// How lists of nodes differ, for PlanDiff.

#include <span>
#include <string>
#include <vector>

#include "gateway/reload/plan_diff.h"

namespace fanfare::gateway {

// Nodes that are added, removed or changed, compared by id. `prefix`: before the id of each. The order of the lists is not
// compared.
void add_changes_of_nodes(const std::string& prefix, std::span<const UpstreamPlan> present,
                          std::span<const UpstreamPlan> wanted, std::vector<PlanChange>& changes);

}  // namespace fanfare::gateway
