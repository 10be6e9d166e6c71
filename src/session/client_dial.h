#pragma once
// A connection of the client side before it is a WebSocket. It connects, possibly through a proxy and TLS,
// and requests the upgrade; then a ClientSession takes over. Each one is a single attempt; Client makes as
// many as necessary.
//
// RFC6455§4.1 requires connections to one address to be made one after the other. This is left to the caller,
// see docs/decisions/0007-clients-connect-at-the-same-time.md.

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "http/response_parser.h"
#include "session/client_plan.h"
#include "session/client_session.h"
#include "session/dial_attempt.h"
#include "session/endpoint.h"
#include "session/member.h"
#include "session/session_data.h"

namespace fanfare::net {
class Stream;
}

namespace fanfare::session {

class ClientDial;

// The endpoint of outgoing connections.
class ClientEndpoint : public Endpoint {
 public:
  using Endpoint::Endpoint;
  // TCP is connected; TLS and the handshake follow. False: another connection is used, and this one is
  // closed.
  virtual bool on_connected(ClientDial&) { return true; }
  // The handshake is complete, and on_open() of this session follows. The dial is destroyed after the call.
  virtual void on_established(ClientDial&, ClientSession&) {}
  // Called after a read: `bytes` bytes of an incomplete message are kept.
  virtual void on_receiving(ClientSession&, std::size_t /*bytes*/) {}
  // Called in place of on_established if the connection failed. Exactly one of the two is called after a
  // successful dial(). The dial is destroyed after the call.
  virtual void on_failed(ClientDial& dial, const ClientError& error) = 0;
};

class ClientDial final : public Member, public DialAttempt {
 public:
  // `connect_timeout` applies to this address; the caller divides its total time. The endpoint must outlive
  // the dial, which the loop owns. The table's sweep interval determines the accuracy of deadlines.
  // Errors: bad_option, connect_failed.
  static std::expected<ClientDial*, ClientError> dial(SessionTable& table, ClientEndpoint& endpoint,
                                                      std::shared_ptr<const ClientPlan> plan,
                                                      const net::Address& address, Duration connect_timeout);
  ~ClientDial() override;

  // For the session.
  void set_data(std::unique_ptr<SessionData> data) { data_ = std::move(data); }
  SessionTable& table() const override { return table_; }
  void shut_down(std::uint16_t code, std::string_view reason) override;
  void close() override { Member::close(); }

 private:
  enum class Stage : std::uint8_t { connecting, asking_proxy, securing, upgrading, over };

  ClientDial(SessionTable& table, ClientEndpoint& endpoint, std::shared_ptr<const ClientPlan> plan,
             ws::ClientHandshake handshake, std::string address, Duration connect_timeout);

  void on_adopted(net::Stream& stream) override;
  void on_attached() override;
  void on_secured() override;
  void on_receive(MutableBytes bytes) override;
  void on_end() override;
  void on_lost(const net::OsError& error) override;
  void on_detached() override;
  void check_time(std::uint32_t now_ms) override;

  void ask_proxy();
  void begin_tunnel();
  void ask_upgrade();
  void judge(const http::Response& response, MutableBytes rest);
  void open(ws::ClientAgreement agreement, MutableBytes rest);
  bool is_from_proxy() const { return stage_ == Stage::asking_proxy; }
  // The other side of the handshake, for an error's text.
  std::string other_side() const;
  bool has_refusal() const;
  ClientError refusal_without_body() const;
  void fail(ClientError error);

  SessionTable& table_;
  ClientEndpoint& endpoint_;
  net::Stream* stream_ = nullptr;
  const std::shared_ptr<const ClientPlan> plan_;
  const ws::ClientHandshake handshake_;
  const std::string address_;
  const Duration connect_timeout_;
  std::uint32_t since_ms_;  // when connecting began; later, when the connection was established
  Stage stage_ = Stage::connecting;
  bool dialling_ = true;  // dial() has not returned yet, and will return errors that occur meanwhile
  std::optional<ClientError> early_failure_;
  std::unique_ptr<http::ResponseParser> parser_;
  std::unique_ptr<SessionData> data_;
};

}  // namespace fanfare::session
