#pragma once
// An upgrade that waits for its decision, with the data that the loop needs to complete it. Any thread;
// created on the loop.

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "api/server_impl.h"
#include "fanfare/server.h"
#include "session/http_connection.h"
#include "ws/handshake.h"

namespace fanfare::api {

class PendingUpgrade {
 public:
  // Opens the WebSocket. Called on the loop's thread with the session, which still exists.
  using Open = std::function<void(session::HttpConnection&, std::unique_ptr<Session> with_data,
                                  ws::UpgradeAccept agreed, std::vector<ws::OwnedHeader> headers)>;
  // `offered`: the subprotocols of the request. `open` may refer to objects that live as long as the loop's
  // mounts.
  PendingUpgrade(std::weak_ptr<ServerImpl> impl, SessionId id, ws::UpgradeAccept agreed,
                 std::vector<std::string> offered, Open open);

  // The first decision counts.
  void accept(std::unique_ptr<Session> with_data, UpgradeOptions options);
  void refuse(Response response);

 private:
  void answer(Response response);

  std::atomic<bool> is_decided_ = false;
  const std::weak_ptr<ServerImpl> impl_;
  const SessionId id_;
  ws::UpgradeAccept agreed_;
  const std::vector<std::string> offered_;
  const Open open_;
};

}  // namespace fanfare::api
