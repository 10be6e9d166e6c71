#include "gateway/inherited.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace fanfare::gateway {

void take_inherited(ServePlan& plan, std::span<const net::InheritedSocket> sockets) {
  const std::vector<ListenerPlan> planned = std::exchange(plan.listeners, {});
  const auto is_for = [&](const net::InheritedSocket& socket, const ListenerPlan& listener) {
    const auto found = std::ranges::find(planned, socket.name, &ListenerPlan::socket_name);
    return &listener == &(found == planned.end() ? planned.front() : *found);
  };
  for (const ListenerPlan& listener : planned) {
    const std::size_t before = plan.listeners.size();
    for (const net::InheritedSocket& socket : sockets) {
      if (!is_for(socket, listener)) continue;
      plan.listeners.push_back(listener);
      plan.listeners.back().at.inherited_fd = socket.fd;
    }
    // If a name has several addresses, the passed sockets replace all of them.
    const auto same = [&](const ListenerPlan& one) {
      return one.at.inherited_fd && one.socket_name == listener.socket_name;
    };
    if (plan.listeners.size() == before && std::ranges::none_of(plan.listeners, same)) {
      plan.listeners.push_back(listener);
    }
  }
}

}  // namespace fanfare::gateway
