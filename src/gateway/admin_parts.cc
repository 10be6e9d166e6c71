#include "gateway/admin_parts.h"

#include <cstddef>

namespace fanfare::gateway {

std::function<std::shared_ptr<const ServePlan>()> plan_now(const CurrentView& view) {
  return [&view] {
    const ViewPtr now = view.get();
    return std::shared_ptr<const ServePlan>(now, &now->plan);
  };
}

std::function<void(const std::function<void(const AdminNetwork&)>&)> visit_networks_now(
    const CurrentView& view) {
  return [&view](const std::function<void(const AdminNetwork&)>& visit) {
    const ViewPtr now = view.get();
    for (std::size_t i = 0; i < now->networks.size(); ++i) {
      LiveNetwork& live = *now->networks[i];
      visit({.network = live.network,
             .plan = std::shared_ptr<const NetworkPlan>(now, &now->plan.networks[i]),
             .metrics = live.metrics,
             .observer = live.observer,
             .worker = live.worker});
    }
  };
}

}  // namespace fanfare::gateway
