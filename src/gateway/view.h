#pragma once
// What a gateway serves, until a reload makes another view. Immutable.

#include <cstddef>
#include <memory>
#include <vector>

#include "gateway/mounts.h"
#include "gateway/networks.h"
#include "gateway/serve_plan.h"

namespace fanfare::gateway {

struct View {
  ServePlan plan;
  Networks::OfPlan networks;
  std::vector<std::size_t> slots;  // of the networks
  std::shared_ptr<const NetworkPaths> paths;
  std::vector<std::size_t> listeners;  // in the server, of the plan's
};
using ViewPtr = std::shared_ptr<const View>;

ViewPtr make_view(const ServePlan& plan, const Networks::OfPlan& networks,
                  std::vector<std::size_t> listeners);

}  // namespace fanfare::gateway
