#include "session/client_session.h"

#include <utility>

#include "session/client_dial.h"

namespace fanfare::session {

ClientSession::ClientSession(SessionTable& table, net::Transport& transport, ClientEndpoint& endpoint,
                             ws::Connection::Options options, std::unique_ptr<SessionData> data,
                             ws::ClientAgreement agreement)
    : Session(table, transport, endpoint, std::move(options), std::move(data)),
      client_endpoint_(endpoint),
      agreement_(std::move(agreement)) {}

ClientSession::~ClientSession() = default;

void ClientSession::on_receive(MutableBytes bytes) {
  Session::on_receive(bytes);
  const std::size_t partly = partly_received_bytes();
  if (partly > 0 && !is_closed()) client_endpoint_.on_receiving(*this, partly);
}

}  // namespace fanfare::session
