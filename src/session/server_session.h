#pragma once
// A connection on the server's side: a PROXY header and the TLS handshake where the listener asks for them,
// HTTP requests, and a WebSocket from the upgrade on. What HTTP needs is freed at the upgrade: until then it
// is in the place of what the application keeps with the session.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/answer_body.h"
#include "session/entrance.h"
#include "session/session.h"
#include "session/site.h"

namespace fanfare::session {

class ServerSession final : public Session {
 public:
  // As new (table) ServerSession(table, ...). The entrance outlives the session, which has entered its gate;
  // `ticket` is for its address.
  ServerSession(ServerTable& table, Entrance& entrance, AddressLimits::Ticket ticket);
  ~ServerSession() override;
  static void* operator new(std::size_t, ServerTable& table) { return table.room.take(); }
  static void operator delete(void* session) { BlockPool::give_back(session); }
  static void operator delete(void* session, ServerTable&) { BlockPool::give_back(session); }

  // Answers the request being served, once; without one, or once the WebSocket is open, it does nothing. The
  // connection's next request is served by the loop, not within this call.
  void respond(const HttpResponse& response);
  // After on_upgrade() gave DecideLater: opens the WebSocket, on_open() of the endpoint included, so this is
  // called by a task of the loop. Does nothing where respond() would do nothing. `acceptance.agreed` is set.
  void accept_upgrade(Acceptance acceptance);
  // Fields in front of those of whatever answers the request that is being served. A 101 has none of them.
  void set_answer_headers(std::vector<ws::OwnedHeader> headers);

  // Answers the request being served with this head and a body that follows in pieces: `length` bytes, or,
  // where nobody knows, in chunks (RFC9112§7.1), for an HTTP/1.0 client up to the close. `response.body` is
  // empty. False: no body is wanted (HEAD), the status has none, or there is no request to answer; `body` is
  // destroyed.
  bool start_body(const HttpResponse& response, std::optional<std::uint64_t> length,
                  std::unique_ptr<AnswerBody> body);
  // congested: the client reads slower; wait for on_writable. closed: nobody reads any more, or more than
  // HttpSettings::body_outbox_bytes_max waits already, and the answer was cut off.
  SendResult write_body(Bytes data);
  // The body is whole; the connection goes on. One with fewer bytes than its length is cut off instead.
  void end_body();
  // Something went wrong: the connection is closed, so that the client can tell.
  void abort_body();

  void shut_down(std::uint16_t code, std::string_view reason) override;

  // "127.0.0.1:50312", or "" when the peer is gone. Behind a proxy: what its header says.
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
  void serve(const http::Request& request);
  bool upgrade(const http::Request& request);
  void refuse(int status, std::string_view reason);
  void answered();

  // Until the upgrade.
  Http& http_state() const;
  Entrance& entrance() const;
  Site& site() const { return entrance().site; }
  ServerTable& server_table() const { return static_cast<ServerTable&>(table()); }

  AddressLimits::Ticket ticket_;
};

static_assert(sizeof(ServerSession) <= 136,
              "this, times the connections, is what waiting for messages costs");

}  // namespace fanfare::session
