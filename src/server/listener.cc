#include "server/listener.h"

#include <sys/socket.h>

#include <utility>

#include "net/socket.h"

namespace fanfare::server {
namespace {

std::expected<session::Listener, Error> listener_of(const ListenerOptions& options) {
  session::Listener listener{.address = {}, .options = {}, .unix_mode = options.unix_mode};
  listener.inherited_fd = options.inherited_fd;
  listener.more_fds = options.more_fds;
  listener.is_ours = options.is_ours;
  if (options.proxy_protocol) listener.options.proxy_protocol = session::ProxyProtocol::required;
  if (options.inherited_fd) return listener;
  const auto address = options.unix_path.empty() ? net::Address::parse(options.host, options.port)
                                                 : net::Address::unix_path(options.unix_path);
  if (!address) {
    return std::unexpected(Error{.kind = Error::Kind::bad_option, .message = address.error()});
  }
  listener.address = *address;
  return listener;
}

}  // namespace

ListenerOptions without_passed(ListenerOptions options) {
  if (!options.is_ours) return options;
  options.inherited_fd.reset();
  options.more_fds.clear();
  options.is_ours = false;
  return options;
}

bool is_on_loopback(const ListenerOptions& options) {
  if (options.proxy_protocol) return false;
  if (options.inherited_fd) {
    const auto address = net::local_address(*options.inherited_fd);
    return address && address->family() != AF_UNIX && address->is_loopback();
  }
  if (!options.unix_path.empty()) return false;
  const auto address = net::Address::parse(options.host, options.port);
  return address && address->is_loopback();
}

std::expected<Listeners, Error> Listeners::prepare(std::span<const ListenerOptions> options) {
  Listeners listeners;
  for (const ListenerOptions& one : options) {
    auto listener = listener_of(one);
    if (!listener) return std::unexpected(std::move(listener.error()));
    if (one.tls) {
      auto certificate = session::ServerCertificate::load(*one.tls);
      if (!certificate) {
        return std::unexpected(Error{.kind = Error::Kind::tls, .message = certificate.error()});
      }
      listener->options.certificate = *certificate;
      listeners.certificates_.push_back(*std::move(certificate));
    }
    listeners.all_.push_back(*std::move(listener));
  }
  return listeners;
}

std::vector<std::string> Listeners::reload_certificates() const {
  std::vector<std::string> failures;
  for (const auto& certificate : certificates_) {
    if (const auto reloaded = certificate->reload(); !reloaded) failures.push_back(reloaded.error());
  }
  return failures;
}

}  // namespace fanfare::server
