#pragma once
// The listening sockets that a process passes to its successor in a binary upgrade, and the listeners that they are for. Their
// names are made from the configuration by both processes, so a changed file opens or closes only what it has changed:
//
//   main 127.0.0.1 4000 #0        the first listener of this address: its sockets, one for each loop
//   main 127.0.0.1 0 #1           the second one whose port the system chose
//   main unix /run/fanfare/gateway.sock #0
//   admin unix /run/fanfare/admin.sock #0
//   manager http                  a socket of the service manager, with the name that it has there

#include <set>
#include <span>
#include <string>
#include <vector>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

struct PassedSocket {
  std::string name;
  int fd = -1;
};

// Of each listener of the plan, in its order.
std::vector<std::string> names_of_listeners(const ServePlan& plan);
// The same for the admin API.
std::vector<std::string> names_of_admin_listeners(const ServePlan& plan);

// Gives the plan's listeners the sockets that were passed for them. The descriptors stay with the caller. Listeners without
// sockets open their own.
void take_passed(ServePlan& plan, std::span<const PassedSocket> sockets);
// The listeners of the plan and of the admin API that the earlier process has under another host or setting: their ports are in use.
// With what the operator should do; "" if there is none. Call it before take_passed().
std::string moved_listeners(const ServePlan& plan, std::span<const PassedSocket> sockets);
// The inherited descriptors of the plan's listeners.
std::set<int> sockets_of(const ServePlan& plan);

}  // namespace fanfare::gateway
