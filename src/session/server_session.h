#pragma once
// A connection on the server side: a PROXY header and the TLS handshake if the listener requires them, HTTP
// requests, and a WebSocket after the upgrade. HTTP state is freed at the upgrade. Until then it occupies the
// field that later holds the application's data.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/answer_body.h"
#include "session/http_service.h"
#include "session/listener_context.h"
#include "session/session.h"

namespace fanfare::session {

class ServerSession final : public Session {
 public:
  // Create it as new (table) ServerSession(table, ...). The entrance must outlive the session, which has
  // already entered its gate; `ticket` is for its address.
  ServerSession(ServerTable& table, ListenerContext& listener_context, AddressLimits::Ticket ticket);
  ~ServerSession() override;
  static void* operator new(std::size_t, ServerTable& table) { return table.room.take(); }
  static void operator delete(void* session) { BlockPool::give_back(session); }
  static void operator delete(void* session, ServerTable&) { BlockPool::give_back(session); }

  // Answers the current request, once. It does nothing without a request, or once the WebSocket is open. The
  // loop serves the connection's next request, not this call.
  void respond(const HttpResponse& response);
  // Call it after on_upgrade() returned DecideLater. Opens the WebSocket and calls the endpoint's on_open(),
  // so call it only from a task of the loop. It does nothing where respond() would do nothing.
  // `acceptance.agreed` must be set.
  void accept_upgrade(Acceptance acceptance);
  // Adds fields before those of any response to the current request. A 101 has none of them.
  void set_answer_headers(std::vector<ws::OwnedHeader> headers);

  // Answers the current request with this head and a body in pieces. The body has `length` bytes; without a
  // length it is sent in chunks (RFC9112§7.1), or until the close for an HTTP/1.0 client. `response.body`
  // must be empty. False: no body is sent (HEAD, or the status allows none), or there is no request to
  // answer; `body` is destroyed.
  bool start_body(const HttpResponse& response, std::optional<std::uint64_t> length,
                  std::unique_ptr<AnswerBody> body);
  // congested: the client reads too slowly; wait for on_writable. closed: the client has disconnected, or
  // HttpSettings::body_outbox_bytes_max was already waiting and the response was cut off.
  SendResult write_body(Bytes data);
  // Completes the body; the connection continues. A body with fewer bytes than its length is cut off instead.
  void end_body();
  // Reports a failure: the connection is closed, so that the client can detect it.
  void abort_body();

  void shut_down(std::uint16_t code, std::string_view reason) override;

  // "127.0.0.1:50312", or "" if the peer has disconnected. Behind a proxy: the address in its header.
  std::string peer() const;

 private:
  struct Http;

  void on_attached() override;
  void on_secured() override;
  void on_receive(MutableBytes bytes) override;
  void on_flushed() override;
  void on_end() override;
  void on_lost(const net::OsError& error) override;
  void on_detached() override;
  void go_on() override;
  void check_time(std::uint32_t now_ms) override;

  void receive(MutableBytes bytes);
  void read_proxy_header(MutableBytes bytes);
  bool enter_address(const net::Address& address);
  void begin_tls();
  void drop(Refusal refusal);
  void read_requests(MutableBytes input);
  void read_unread();
  bool has_requests_left();
  bool is_backed_up() const;
  void begin_leaving();
  void start_websocket(const ws::UpgradeAccept& agreed, Acceptance acceptance);
  void refuse_handshake(Acceptance& acceptance, ws::UpgradeRefusal refusal);
  void body_is_over();
  void check_body_time(std::uint32_t now_ms);
  bool has_waited(std::uint32_t now_ms, Duration timeout);
  void note_reading();
  bool upgrade(const http::Request& request);
  void refuse(int status, std::string_view reason);
  void answered();

  // Valid until the upgrade.
  Http& http_state() const;
  ListenerContext& listener_context() const;
  HttpService& service() const { return listener_context().service; }
  ServerTable& server_table() const { return static_cast<ServerTable&>(table()); }

  AddressLimits::Ticket ticket_;
};

static_assert(sizeof(ServerSession) <= 136,
              "this, times the connections, is what waiting for messages costs");

}  // namespace fanfare::session
