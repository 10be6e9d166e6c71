#include "session/accept_tls.h"

#include <utility>

#include "base/log.h"

namespace fanfare::session {
namespace {

// Only at startup and at an operator's command, so no rate limit is needed.
void log_warnings(const net::TlsContext& context) {
  for (const std::string& warning : context.warnings()) {
    log::warn("certificate_not_valid_now", {{"problem", warning}});
  }
}

}  // namespace

std::expected<std::shared_ptr<ServerCertificate>, std::string> ServerCertificate::load(
    net::TlsServerOptions options) {
  auto context = net::TlsContext::server(options);
  if (!context) return std::unexpected(context.error());
  log_warnings(**context);
  return std::shared_ptr<ServerCertificate>(new ServerCertificate(std::move(options), std::move(*context)));
}

std::shared_ptr<const net::TlsContext> ServerCertificate::context() const {
  const std::scoped_lock lock(mutex_);
  return context_;
}

std::expected<void, std::string> ServerCertificate::reload() {
  auto context = net::TlsContext::server(options_);
  if (!context) return std::unexpected(context.error());
  log_warnings(**context);
  const std::scoped_lock lock(mutex_);
  context_ = std::move(*context);
  return {};
}

}  // namespace fanfare::session
