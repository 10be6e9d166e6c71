#include "session/accept_tls.h"

#include <utility>

namespace fanfare::session {

std::expected<std::shared_ptr<ServerCertificate>, std::string> ServerCertificate::load(
    net::TlsServerOptions options) {
  auto context = net::TlsContext::server(options);
  if (!context) return std::unexpected(context.error());
  return std::shared_ptr<ServerCertificate>(new ServerCertificate(std::move(options), std::move(*context)));
}

std::shared_ptr<const net::TlsContext> ServerCertificate::context() const {
  const std::scoped_lock lock(mutex_);
  return context_;
}

std::expected<void, std::string> ServerCertificate::reload() {
  auto context = net::TlsContext::server(options_);
  if (!context) return std::unexpected(context.error());
  const std::scoped_lock lock(mutex_);
  context_ = std::move(*context);
  return {};
}

}  // namespace fanfare::session
