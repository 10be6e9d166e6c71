#pragma once
// How the access logs, request ids, traces and the form of the log of two plans differ, for PlanDiff. All of it can be changed while
// the gateway runs.

#include <vector>

#include "gateway/observe/plan.h"
#include "gateway/reload/plan_diff.h"

namespace fanfare::gateway {

void add_changes_of_observing(const ObservePlan& running, const ObservePlan& wanted,
                              std::vector<PlanChange>& changes);

}  // namespace fanfare::gateway
