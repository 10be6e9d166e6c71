#pragma once
// How the streams of two plans differ, for PlanDiff. All of it can be changed while they run.

#include <vector>

#include "gateway/reload/plan_diff.h"

namespace fanfare::gateway {

// Whether a stream goes on with its events, whatever else of it is changed; otherwise it begins anew, with another epoch.
bool keeps_events(const StreamPlan& present, const StreamPlan& wanted);

void add_changes_of_streams(const ServePlan& running, const ServePlan& wanted,
                            std::vector<PlanChange>& changes);

}  // namespace fanfare::gateway
