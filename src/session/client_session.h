#pragma once
// A WebSocket of the client side, open from its first moment: ClientDial (client_dial.h) made the handshake.

#include <memory>
#include <optional>
#include <string>

#include "session/session.h"
#include "ws/handshake_client.h"

namespace fanfare::session {

class ClientEndpoint;

class ClientSession final : public Session {
 public:
  ClientSession(SessionTable& table, net::Transport& transport, ClientEndpoint& endpoint,
                ws::Connection::Options options, std::unique_ptr<SessionData> data,
                ws::ClientAgreement agreement);
  ~ClientSession() override;
  // Not in the memory for sessions of one size.
  static void* operator new(std::size_t size) { return ::operator new(size); }
  static void operator delete(void* session) { ::operator delete(session); }

  // The negotiated values.
  const std::string& subprotocol() const { return agreement_.subprotocol; }
  const std::optional<ws::DeflateParameters>& deflate() const { return agreement_.deflate; }

 private:
  void on_receive(MutableBytes bytes) override;

  ClientEndpoint& client_endpoint_;
  const ws::ClientAgreement agreement_;
};

}  // namespace fanfare::session
