#pragma once
// A connection on the client side. It connects, possibly through a proxy and TLS, requests the upgrade, and
// is a WebSocket from there on. Each one is a single attempt; Client makes as many as necessary. Handshake
// state is freed when the handshake is complete.
//
// RFC6455§4.1 requires connections to one address to be made one after the other. This is left to the caller,
// see docs/decisions/0007-clients-connect-at-the-same-time.md.

#include <expected>
#include <memory>
#include <string>

#include "http/response_parser.h"
#include "session/client_plan.h"
#include "session/session.h"

namespace fanfare::session {

class ClientSession;

// The endpoint of outgoing connections.
class ClientEndpoint : public Endpoint {
 public:
  using Endpoint::Endpoint;
  // TCP is connected; TLS and the handshake follow. False: another connection is used, and this one is
  // closed.
  virtual bool on_connected(ClientSession&) { return true; }
  // Called after a read: `bytes` bytes of an incomplete message are kept.
  virtual void on_receiving(ClientSession&, std::size_t /*bytes*/) {}
  // Called in place of on_open if the connection failed. Exactly one of the two is called after a successful
  // dial(). The session is destroyed after the call.
  virtual void on_failed(ClientSession& session, const ClientError& error) = 0;
};

class ClientSession final : public Session {
 public:
  // `connect_timeout` applies to this address; the caller divides its total time. The endpoint must outlive
  // the session, which the loop owns. The table's sweep interval determines the accuracy of deadlines.
  // Errors: bad_option, connect_failed.
  static std::expected<ClientSession*, ClientError> dial(SessionTable& table, ClientEndpoint& endpoint,
                                                         std::shared_ptr<const ClientPlan> plan,
                                                         const net::Address& address,
                                                         Duration connect_timeout);
  ~ClientSession() override;

  // The negotiated values, from on_open on.
  const std::string& subprotocol() const { return agreement_.subprotocol; }
  const std::optional<ws::DeflateParameters>& deflate() const { return agreement_.deflate; }
  // "127.0.0.1:8546", "unix:/run/fanfare.sock", or "" if the peer has disconnected.
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
