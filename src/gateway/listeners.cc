#include "gateway/listeners.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace fanfare::gateway {

std::string_view socket_name(Surface surface) {
  switch (surface) {
    case Surface::routed:
    case Surface::rpc_http:
      return "http";
    case Surface::rpc_websocket:
      return "websocket";
    case Surface::metrics:
      return "metrics";
  }
  return "";
}

void take_inherited(ServePlan& plan, std::span<const net::InheritedSocket> sockets) {
  const std::vector<ListenerPlan> planned = std::exchange(plan.listeners, {});
  const auto is_for = [&](const net::InheritedSocket& socket, const ListenerPlan& listener) {
    const auto named = [&](const ListenerPlan& one) { return socket_name(one.surface) == socket.name; };
    const auto found = std::ranges::find_if(planned, named);
    return &listener == &(found == planned.end() ? planned.front() : *found);
  };
  for (const ListenerPlan& listener : planned) {
    const std::size_t before = plan.listeners.size();
    for (const net::InheritedSocket& socket : sockets) {
      if (!is_for(socket, listener)) continue;
      plan.listeners.push_back(listener);
      plan.listeners.back().inherited_fd = socket.fd;
    }
    // Where a surface has several addresses, what was passed stands for all of them.
    const auto same = [&](const ListenerPlan& one) {
      return one.inherited_fd && one.surface == listener.surface;
    };
    if (plan.listeners.size() == before && std::ranges::none_of(plan.listeners, same)) {
      plan.listeners.push_back(listener);
    }
  }
}

bool is_on_loopback(const ListenerPlan& plan) {
  if (plan.proxy_protocol) return false;
  if (plan.inherited_fd) {
    const auto address = net::local_address(*plan.inherited_fd);
    return address && address->family() != AF_UNIX && address->is_loopback();
  }
  if (!plan.unix_path.empty()) return false;
  const auto address = net::Address::parse(plan.host, plan.port);
  return address && address->is_loopback();
}

net::TlsServerOptions tls_options_of(const TlsPlan& plan) {
  return {.certificate_file = plan.certificate_file,
          .key_file = plan.key_file,
          .protocol = {
              .min_version = plan.min_version, .ciphers = plan.ciphers, .cipher_suites = plan.cipher_suites}};
}

std::expected<session::Listener, std::string> listener_of(const ListenerPlan& plan) {
  session::Listener listener{.address = {}, .options = {}, .unix_mode = plan.unix_mode};
  listener.inherited_fd = plan.inherited_fd;
  if (plan.proxy_protocol) listener.options.proxy_protocol = session::ProxyProtocol::required;
  if (plan.inherited_fd) return listener;
  const auto address = plan.unix_path.empty() ? net::Address::parse(plan.host, plan.port)
                                              : net::Address::unix_path(plan.unix_path);
  if (!address) return std::unexpected(address.error());
  listener.address = *address;
  return listener;
}

}  // namespace fanfare::gateway
