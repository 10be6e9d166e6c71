#pragma once
// What cannot be handed over to another process.

#include <string>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// Why a gateway with this plan cannot be replaced by another process while it runs, and what to do instead. Empty: it can.
std::string upgrade_obstacle(const ServePlan& plan, bool is_draining);

}  // namespace fanfare::gateway
