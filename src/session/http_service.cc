#include "session/http_service.h"

#include <utility>

namespace fanfare::session {

std::expected<ws::UpgradeAccept, ws::UpgradeRefusal> check_upgrade(const http::Request& request,
                                                                   const ws::UpgradePolicy& policy) {
  return ws::accept_upgrade({.method = request.method,
                             .version_major = 1,
                             .version_minor = request.version_minor,
                             .target = request.target,
                             .headers = request.headers},
                            policy);
}

HttpResponse response_of(ws::UpgradeRefusal refusal) {
  return {.status = refusal.status, .body = refusal.reason + "\n", .headers = std::move(refusal.headers)};
}

}  // namespace fanfare::session
