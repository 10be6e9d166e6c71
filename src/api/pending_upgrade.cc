#include "api/pending_upgrade.h"

#include <algorithm>
#include <utility>

#include "api/border.h"
#include "api/mounts.h"
#include "base/guard.h"
#include "base/log_limiter.h"

namespace fanfare::api {

PendingUpgrade::PendingUpgrade(std::weak_ptr<ServerImpl> impl, SessionId id, ws::UpgradeAccept agreed,
                               std::vector<std::string> offered, Open open)
    : impl_(std::move(impl)),
      id_(id),
      agreed_(std::move(agreed)),
      offered_(std::move(offered)),
      open_(std::move(open)) {}

void PendingUpgrade::accept(std::unique_ptr<Session> with_data, UpgradeOptions options) {
  const auto impl = impl_.lock();
  if (impl == nullptr || is_decided_.exchange(true)) return;
  if (options.subprotocol) {
    if (!options.subprotocol->empty() &&
        std::ranges::find(offered_, *options.subprotocol) == offered_.end()) {
      static LogLimiter not_offered(log::Level::error, "subprotocol_not_offered");
      not_offered.write({{"subprotocol", log::excerpt(*options.subprotocol)},
                         {"expected", "one that the client offered, or none"}});
      return answer({.status = 500, .body = std::string(kNoAnswer)});
    }
    agreed_.subprotocol = *std::move(options.subprotocol);
  }
  std::vector<ws::OwnedHeader> headers;
  for (Header& header : options.headers) {
    headers.push_back({.name = std::move(header.name), .value = std::move(header.value)});
  }
  // Always deferred: the session must first know that it waits for a decision.
  impl->post_to_request(id_, [open = open_, with_data = std::move(with_data), agreed = std::move(agreed_),
                              headers = std::move(headers)](session::HttpConnection& session) mutable {
    open(session, std::move(with_data), std::move(agreed), std::move(headers));
  });
}

void PendingUpgrade::refuse(Response response) {
  if (!is_decided_.exchange(true)) answer(std::move(response));
}

void PendingUpgrade::answer(Response response) {
  const auto impl = impl_.lock();
  if (impl == nullptr) return;
  impl->post_to_request(id_, [made = to_engine(std::move(response))](session::HttpConnection& session) {
    session.respond(made);
  });
}

UpgradeTicket& UpgradeTicket::operator=(UpgradeTicket&& other) noexcept {
  std::swap(pending_, other.pending_);
  return *this;
}

UpgradeTicket::~UpgradeTicket() {
  if (pending_ == nullptr) return;
  // May run during stack unwinding, where a second exception would end the process.
  run_guarded("an upgrade", [this] { refuse({.status = 500, .body = std::string(kNoAnswer)}); });
}

void UpgradeTicket::accept(std::unique_ptr<Session> with_data, UpgradeOptions options) {
  if (const auto pending = std::exchange(pending_, nullptr)) {
    pending->accept(std::move(with_data), std::move(options));
  }
}

void UpgradeTicket::refuse(Response response) {
  if (const auto pending = std::exchange(pending_, nullptr)) pending->refuse(std::move(response));
}

}  // namespace fanfare::api
