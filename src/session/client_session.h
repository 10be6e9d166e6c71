#pragma once
// A connection on the client's side: it is made, perhaps through a proxy and TLS, then asks for the upgrade,
// and is a WebSocket from there on. One attempt each; Client makes as many as it takes. What the handshake
// needs is freed when it is done.
//
// RFC6455§4.1 wants connections to one address made one after the other; this is left to the caller, see
// docs/decisions/0007-clients-connect-at-the-same-time.md.

#include <expected>
#include <memory>
#include <string>

#include "http/response_parser.h"
#include "session/client_plan.h"
#include "session/session.h"

namespace fanfare::session {

class ClientSession;

// The endpoint of connections that we make.
class ClientEndpoint : public Endpoint {
 public:
  using Endpoint::Endpoint;
  // The TCP connection stands; TLS and the handshake come next. False: another one is used, and this one is
  // closed.
  virtual bool on_connected(ClientSession&) { return true; }
  // After a read: so many bytes are kept of a message that is only partly there.
  virtual void on_receiving(ClientSession&, std::size_t /*bytes*/) {}
  // Instead of on_open: the connection did not come about. Exactly one of the two comes after dial(), unless
  // dial() itself says no. The session is gone after the call.
  virtual void on_failed(ClientSession& session, const ClientError& error) = 0;
};

class ClientSession final : public Session {
 public:
  // How much of connect_timeout one address gets is the caller's to say: `connect_timeout` here is for this
  // one. The endpoint outlives the session, which the loop owns. Deadlines are kept as exactly as the table
  // sweeps. Errors: bad_option, connect_failed.
  static std::expected<ClientSession*, ClientError> dial(SessionTable& table, ClientEndpoint& endpoint,
                                                         std::shared_ptr<const ClientPlan> plan,
                                                         const net::Address& address,
                                                         Duration connect_timeout);
  ~ClientSession() override;

  // What was agreed on, from on_open on.
  const std::string& subprotocol() const { return agreement_.subprotocol; }
  const std::optional<ws::DeflateParameters>& deflate() const { return agreement_.deflate; }
  // "127.0.0.1:8546", "unix:/run/fanfare.sock", or "" when the peer is gone.
  std::string peer() const;

 private:
  struct Opening;

  ClientSession(SessionTable& table, ClientEndpoint& endpoint, std::unique_ptr<Opening> opening);

  void on_attached() override;
  void on_secured() override;
  void on_receive(MutableBytes bytes) override;
  void on_end() override;
  void on_lost(const net::OsError& error) override;
  void on_detached() override;
  void check_time(std::uint32_t now_ms) override;

  void ask_proxy();
  void tunnel_stands();
  void ask_upgrade();
  void read_answer(MutableBytes bytes);
  void judge(const http::Response& response, MutableBytes rest);
  bool has_refusal() const;
  ClientError refusal_without_body() const;
  void fail(ClientError error);

  ClientEndpoint& client_endpoint_;
  std::unique_ptr<Opening> opening_;
  ws::ClientAgreement agreement_;
};

}  // namespace fanfare::session
