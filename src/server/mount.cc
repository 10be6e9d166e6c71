#include "server/mount.h"

namespace fanfare::server {

session::UpgradeDecision Mount::on_upgrade(session::HttpConnection&, const Target&) {
  return session::HttpResponse{.status = 404, .body = "there is no WebSocket here\n", .headers = {}};
}

}  // namespace fanfare::server
