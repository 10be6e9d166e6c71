#include "gateway/upgrade/passed_sockets.h"

#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "gateway/inherited.h"
#include "net/socket.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kManager = "manager ";

std::string address_of(const server::ListenerOptions& at) {
  return at.unix_path.empty() ? at.host + " " + std::to_string(at.port) : "unix " + at.unix_path;
}

// Numbers the listeners of one address.
class NumberedNames {
 public:
  explicit NumberedNames(std::string_view group) : group_(group) {}
  std::string next(const server::ListenerOptions& at) {
    const std::string address = address_of(at);
    return group_ + " " + address + " #" + std::to_string(count_[address]++);
  }

 private:
  std::string group_;
  std::map<std::string, std::size_t> count_;
};

bool is_of_manager(const ListenerPlan& listener) {
  return listener.at.inherited_fd && !listener.at.is_ours;
}

void give(server::ListenerOptions& at, const std::string& name, std::span<const PassedSocket> sockets) {
  for (const PassedSocket& socket : sockets) {
    if (socket.name != name) continue;
    if (at.inherited_fd) {
      at.more_fds.push_back(socket.fd);
    } else {
      at.inherited_fd = socket.fd;
      at.is_ours = true;
    }
  }
}

}  // namespace

std::vector<std::string> names_of_listeners(const ServePlan& plan) {
  NumberedNames numbered("main");
  std::vector<std::string> names;
  for (const ListenerPlan& listener : plan.listeners) {
    names.push_back(is_of_manager(listener) ? std::string(kManager) + listener.socket_name
                                            : numbered.next(listener.at));
  }
  return names;
}

std::vector<std::string> names_of_admin_listeners(const ServePlan& plan) {
  NumberedNames numbered("admin");
  std::vector<std::string> names;
  if (!plan.admin) return names;
  for (const server::ListenerOptions& at : plan.admin->listeners) names.push_back(numbered.next(at));
  return names;
}

void take_passed(ServePlan& plan, std::span<const PassedSocket> sockets) {
  std::vector<net::InheritedSocket> of_manager;
  for (const PassedSocket& socket : sockets) {
    if (!socket.name.starts_with(kManager)) continue;
    of_manager.push_back({.name = socket.name.substr(kManager.size()), .fd = socket.fd});
  }
  if (!of_manager.empty()) take_inherited(plan, of_manager);
  const std::vector<std::string> names = names_of_listeners(plan);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_of_manager(plan.listeners[i])) give(plan.listeners[i].at, names[i], sockets);
  }
  const std::vector<std::string> of_admin = names_of_admin_listeners(plan);
  for (std::size_t i = 0; i < of_admin.size(); ++i) give(plan.admin->listeners[i], of_admin[i], sockets);
}

std::string moved_listeners(const ServePlan& plan, std::span<const PassedSocket> sockets) {
  std::string moved;
  const auto look = [&](const server::ListenerOptions& at, const std::string& name) {
    const bool is_kept = std::ranges::find(sockets, name, &PassedSocket::name) != sockets.end();
    if (at.port == 0 || at.inherited_fd || !at.unix_path.empty() || is_kept) return;
    for (const PassedSocket& socket : sockets) {
      const auto address = net::local_address(socket.fd);
      if (!address || address->family() == AF_UNIX || address->port() != at.port) continue;
      moved += (moved.empty() ? "port " : "; port ") + std::to_string(at.port) + " of " + at.host +
               " is in use by the process that is upgraded, as " + address->text();
      return;
    }
  };
  const std::vector<std::string> names = names_of_listeners(plan);
  for (std::size_t i = 0; i < names.size(); ++i) look(plan.listeners[i].at, names[i]);
  const std::vector<std::string> of_admin = names_of_admin_listeners(plan);
  for (std::size_t i = 0; i < of_admin.size(); ++i) look(plan.admin->listeners[i], of_admin[i]);
  if (moved.empty()) return {};
  return moved + ". An upgrade cannot move a port to another listener; restart the server";
}

std::set<int> sockets_of(const ServePlan& plan) {
  std::set<int> taken;
  const auto note = [&](const server::ListenerOptions& at) {
    if (at.inherited_fd) taken.insert(*at.inherited_fd);
    taken.insert(at.more_fds.begin(), at.more_fds.end());
  };
  for (const ListenerPlan& listener : plan.listeners) note(listener.at);
  if (plan.admin) std::ranges::for_each(plan.admin->listeners, note);
  return taken;
}

}  // namespace fanfare::gateway
