#pragma once
// The dashboard on the port of the admin API: its Server panel works there without access control, because only this
// machine can connect.

#include <functional>
#include <string>

#include "gateway/admin_plan.h"
#include "server/router.h"

namespace fanfare::gateway {

// After everything else. `metrics`: the text of /metrics.
void mount_admin_page(server::Router& router, const AdminPlan& plan, bool has_access,
                      const std::function<std::string()>& metrics);

}  // namespace fanfare::gateway
