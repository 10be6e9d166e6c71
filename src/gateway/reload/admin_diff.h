#pragma once
// How the admin APIs of two plans differ, for PlanDiff.

#include <optional>
#include <string>
#include <vector>

#include "gateway/reload/plan_diff.h"

namespace fanfare::gateway {

// What tells the listeners of an admin API apart, in its order: their addresses.
std::vector<std::string> keys_of_admin_listeners(const AdminPlan& plan);

// The one that is served after a reload. Empty: none.
std::optional<AdminPlan> diff_admin(const std::optional<AdminPlan>& running,
                                    const std::optional<AdminPlan>& wanted, std::vector<PlanChange>& changes);

}  // namespace fanfare::gateway
