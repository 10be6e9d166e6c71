#pragma once
// The HTTP/1.1 phase of a server's connection: it reads requests and passes them to the listener's
// HttpService, one at a time. At an accepted upgrade a Session takes over the transport, and this object is
// destroyed with all HTTP state.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "net/peer_certificate.h"
#include "session/admission.h"
#include "session/http_input.h"

namespace fanfare::session {

class HttpConnection final : public HttpInput {
 public:
  // The first handler of its stream. Both references must outlive the connection.
  HttpConnection(ServerTable& table, ListenerContext& context, Admission admission);
  // On any transport, for which the caller sets it as the handler. Time runs since `accepted_ms`. Then call
  // open(), unless it replaces a member of the table (ServerTable::replace()).
  HttpConnection(ServerTable& table, ListenerContext& context, net::Transport& transport,
                 std::uint32_t accepted_ms);
  ~HttpConnection() override;

  // Joins the table, where it counts as one connection.
  void open(Admission admission);

  // Call it after on_upgrade() returned DecideLater. Opens the WebSocket and calls the endpoint's on_open(),
  // so call it only from a task of the loop. It does nothing where respond() would do nothing.
  // `acceptance.agreed` must be set. This object is destroyed at the end of the turn.
  void accept_upgrade(Acceptance acceptance);

  // Whether a response in pieces is being written.
  bool is_streaming() const { return state_ == State::streaming; }
  void shut_down(std::uint16_t code, std::string_view reason) override;
  bool is_at_work(std::uint32_t now_ms) const override;

  // Of a client that TLS asked for one (net::TlsServerOptions::client_ca_file), once it was verified.
  std::optional<net::PeerCertificate> peer_certificate() const;

  void on_receive(MutableBytes bytes) override;

 private:
  void on_adopted(net::Stream& stream) override;
  void on_flushed() override;
  void on_end() override;
  void on_end_unread() override { note_end(); }
  void on_lost(const net::OsError&) override {}
  void on_detached() override;
  void go_on() override;
  void check_time(std::uint32_t now_ms) override;
  void on_answered() override;
  void refuse(int status, std::string_view reason) override;
  void begin_leaving() override;
  HttpConnection& self() override { return *this; }

  void receive(MutableBytes bytes);
  void read_requests(MutableBytes input);
  // Whether the next request must not be read yet. If so, the input is kept.
  bool must_wait(Bytes input);
  // Returns false if no more requests can be read from this input: it became a WebSocket.
  bool serve(const http::Request& request, MutableBytes behind);
  void read_unread();
  bool has_requests_left();
  bool is_backed_up() const;
  // Starts the timer for a partly received request.
  void note_reading();

  // Returns the session if the connection is a WebSocket now.
  Session* upgrade(const http::Request& request);
  Session& start_websocket(const ws::UpgradeAccept& agreed, Acceptance acceptance);
  void refuse_handshake(Acceptance& acceptance, ws::UpgradeRefusal refusal);

  Admission admission_;  // until it has joined the table
  std::uint32_t turn_ = 0;
  std::uint32_t requests_in_turn_ = 0;
  bool had_head_ = false;
  bool backed_up_ = false;      // no request is read until the client has accepted the responses
  bool end_waits_ = false;      // the peer's FIN arrived, after the unread data
  bool end_came_ = false;       // the peer's FIN arrived while it waited for a response
  bool decides_later_ = false;  // the current upgrade is decided later
};

}  // namespace fanfare::session
