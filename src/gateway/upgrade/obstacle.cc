#include "gateway/upgrade/obstacle.h"

#include <unistd.h>

#include <algorithm>

namespace fanfare::gateway {

std::string upgrade_obstacle(const ServePlan& plan, bool is_draining) {
  if (is_draining) return "the server drains; 'fanfare admin undrain' ends that";
  if (::getpid() == 1) return "it is process 1 of its container, which ends with it; start another container";
  for (const NetworkPlan& network : plan.networks) {
    if (std::holds_alternative<DevBackend>(network.backend)) {
      return "the built-in chain is in the memory of this process; restart it";
    }
  }
  if (!plan.canvas) return {};
  for (const canvasserver::RoomPlan& room : plan.canvas->rooms) {
    if (room.file.empty()) continue;
    return "the room " + room.spec.name + " of the canvas writes to " + room.file +
           ", which only one process may use at a time; restart it";
  }
  return {};
}

}  // namespace fanfare::gateway
