#include "gateway/reload/listener_conflicts.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "gateway/reload/admin_diff.h"
#include "gateway/reload/listener_diff.h"
#include "net/socket.h"

namespace fanfare::gateway {
namespace {

struct Holder {
  std::string key;   // of the configuration
  std::string same;  // what tells listeners of one kind apart
  server::ListenerOptions at;
};

std::vector<Holder> holders_of(const ServePlan& plan) {
  std::vector<Holder> places;
  const std::vector<std::string> keys = keys_of_listeners(plan.listeners);
  for (std::size_t i = 0; i < keys.size(); ++i)
    places.push_back(
        {.key = key_of_listener(plan.listeners[i]), .same = keys[i], .at = plan.listeners[i].at});
  if (!plan.admin) return places;
  const std::vector<std::string> admin_keys = keys_of_admin_listeners(*plan.admin);
  for (std::size_t i = 0; i < admin_keys.size(); ++i) {
    const server::ListenerOptions& at = plan.admin->listeners[i];
    places.push_back({.key = key_of_admin_listener(at), .same = admin_keys[i], .at = at});
  }
  return places;
}

bool is_same_socket_path(const std::string& one, const std::string& other) {
  if (one.starts_with('@') || other.starts_with('@')) return one == other;
  std::error_code failed;
  const auto full = [&](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, failed), failed);
  };
  return full(one) == full(other);
}

// Whether a socket at one of them is in the way of the other. "::" is IPv6 only.
bool addresses_overlap(const server::ListenerOptions& one, const server::ListenerOptions& other) {
  if (one.unix_path.empty() != other.unix_path.empty()) return false;
  if (!one.unix_path.empty()) return is_same_socket_path(one.unix_path, other.unix_path);
  if (one.port != other.port || one.port == 0) return false;
  const auto first = net::Address::parse(one.host, one.port);
  const auto second = net::Address::parse(other.host, other.port);
  if (!first || !second || first->family() != second->family()) return false;
  const auto is_any = [](const net::Address& address) {
    return address.host() == "0.0.0.0" || address.host() == "::";
  };
  return is_any(*first) || is_any(*second) || first->host() == second->host();
}

}  // namespace

std::string key_of_listener(const ListenerPlan& listener) {
  if (!listener.at.unix_path.empty()) return "server.unixSocket";
  if (listener.socket_name == "metrics") return "metrics.port";
  return listener.socket_name == "websocket" ? "streams.websocketPort" : "server.httpPort";
}

std::string key_of_admin_listener(const server::ListenerOptions& at) {
  return at.unix_path.empty() ? "admin.port" : "admin.socket";
}

std::vector<std::string> listener_conflicts(const ServePlan& running, const ServePlan& after) {
  const std::vector<Holder> present = holders_of(running);
  std::vector<std::string> conflicts;
  for (const Holder& wanted : holders_of(after)) {
    if (std::ranges::find(present, wanted.same, &Holder::same) != present.end()) continue;
    const auto holder = std::ranges::find_if(
        present, [&](const Holder& one) { return addresses_overlap(one.at, wanted.at); });
    if (holder == present.end()) continue;
    conflicts.push_back(
        wanted.key + ": " + name_of_listener(wanted.at) +
        " cannot be bound, because the running server listens at " + name_of_listener(holder->at) + " (" +
        holder->key + "), expected two reloads: one that moves or removes that listener, and then this one");
  }
  return conflicts;
}

}  // namespace fanfare::gateway
