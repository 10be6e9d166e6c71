#include "api/listener_options.h"

#include <algorithm>
#include <utility>

#include "api/settings.h"
#include "net/inherited_sockets.h"

namespace fanfare::api {
namespace {

std::expected<int, std::string> inherited_fd(const std::string& name) {
  const auto sockets = net::inherited_sockets();
  if (!sockets) return std::unexpected(sockets.error());
  const auto found = std::ranges::find(*sockets, name, &net::InheritedSocket::name);
  if (found != sockets->end()) return found->fd;
  return std::unexpected("inherited_socket: no socket named \"" + name + "\" was passed (LISTEN_FDNAMES)");
}

// ServerOptions and Listener have members of the same names.
template <typename Options>
std::expected<server::ListenerOptions, std::string> listener_of(const Options& options) {
  server::ListenerOptions listener{.host = options.host,
                                   .port = options.port,
                                   .unix_path = options.unix_path,
                                   .unix_mode = options.unix_mode,
                                   .proxy_protocol = options.proxy_protocol};
  if (!options.inherited_socket.empty()) {
    const auto fd = inherited_fd(options.inherited_socket);
    if (!fd) return std::unexpected(fd.error());
    listener.inherited_fd = *fd;
  }
  if (options.tls) listener.tls = to_engine(*options.tls);
  return listener;
}

}  // namespace

std::expected<std::vector<server::ListenerOptions>, std::string> listener_options(
    const ServerOptions& options) {
  std::vector<server::ListenerOptions> listeners;
  auto first = listener_of(options);
  if (!first) return std::unexpected(std::move(first.error()));
  listeners.push_back(*std::move(first));
  for (const Listener& more : options.more_listeners) {
    auto listener = listener_of(more);
    if (!listener) return std::unexpected(std::move(listener.error()));
    listeners.push_back(*std::move(listener));
  }
  return listeners;
}

}  // namespace fanfare::api
