#pragma once
// What the admin API sees of the networks and the plan of a running gateway: those of its current view.

#include <functional>
#include <memory>

#include "gateway/admin_subject.h"
#include "gateway/current_view.h"

namespace fanfare::gateway {

// `view` must outlive what they return.
std::function<std::shared_ptr<const ServePlan>()> plan_now(const CurrentView& view);
std::function<void(const std::function<void(const AdminNetwork&)>&)> visit_networks_now(
    const CurrentView& view);

}  // namespace fanfare::gateway
