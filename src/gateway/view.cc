#include "gateway/view.h"

namespace fanfare::gateway {

ViewPtr make_view(const ServePlan& plan, const Networks::OfPlan& networks,
                  std::vector<std::size_t> listeners) {
  auto made = std::make_shared<View>(View{
      .plan = plan, .networks = networks, .slots = {}, .paths = nullptr, .listeners = std::move(listeners)});
  for (const LiveNetwork* live : networks) made->slots.push_back(live->slot);
  made->paths = std::make_shared<const NetworkPaths>(made->plan, made->slots);
  return made;
}

}  // namespace fanfare::gateway
