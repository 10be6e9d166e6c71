#pragma once
// One WebSocket connection, after its handshake and on either side: the protocol (ws::Connection) meets the
// socket (net::Stream). On its loop's thread only; others reach it by posting to the loop with its SessionId.
//
// No call here runs a method of the endpoint before it returns: what it brings about is told by the loop.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/shared_bytes.h"
#include "net/stream.h"
#include "session/endpoint.h"
#include "ws/connection.h"

namespace fanfare::session {

class SessionTable;

// Names a session for as long as its loop runs: a later session, in the same place or not, has another
// generation. No session has the default one.
struct SessionId {
  std::uint32_t place = 0;
  std::uint32_t generation = 0;
  bool operator==(const SessionId&) const = default;
};

enum class SendResult : std::uint8_t {
  queued,
  congested,  // queued, but the peer reads slower than we send: better wait for on_drained
  closed,  // not queued: the session is closing or closed, or this message was one too many (slow_consumer)
};

// What an application keeps with a session.
class SessionData {
 public:
  virtual ~SessionData() = default;
  // What the handshake agreed on, before on_open; empty: no subprotocol.
  virtual void on_agreed(std::string_view /*subprotocol*/) {}
};

class Session : public net::Stream {
 public:
  ~Session() override;

  SendResult send(ws::Opcode opcode, Bytes payload);
  SendResult send_text(std::string_view text) { return send(ws::Opcode::text, as_bytes(text)); }
  // A whole frame made by ws::encode_message(), shared with other sessions. Server side only: it is not
  // masked.
  SendResult send_frame(const SharedBytes& frame);
  // As send(), but never compressed. RFC7692§6: each message is compressed or not, as its sender likes.
  SendResult send_uncompressed(ws::Opcode opcode, Bytes payload);
  // A message in pieces (RFC6455§5.4), not compressed: the first piece decides on text or binary, `last` ends
  // it. Until then control frames are sent as ever, and other messages wait behind it; what waits counts
  // against outbox_bytes_max. When it has ended they follow, and on_drained is called when all of it has been
  // sent.
  SendResult send_piece(ws::Opcode opcode, Bytes piece, bool last);
  bool is_sending_pieces() const { return phase_ == Phase::open && !connection_.can_send_message(); }
  SendResult ping(Bytes payload = {});
  // False when the outbox, with `waiting_bytes` that others keep for it, is at outbox_bytes_max: the session
  // ends as by a message too many (slow_consumer). False, too, when it is not open.
  bool has_room_behind(std::size_t waiting_bytes);
  // After something was queued: on_drained is called when all of it has been sent, congested or not.
  void expect_drained();
  // Starts the closing handshake; on_close follows when the peer answers or close_timeout has passed. A code
  // that may be sent, and at most 123 bytes of UTF-8.
  void start_closing(std::uint16_t code, std::string_view reason = {});
  // The server stops: as start_closing, with Cause::shut_down.
  virtual void shut_down(std::uint16_t code, std::string_view reason = {});

  // Between the two nothing is handed to on_message; the peer is held back by TCP. Meanwhile:
  // - Pings are sent, but pongs cannot be read: what counts instead is that the peer's system takes the ping
  //   within pong_timeout.
  // - SessionSettings::idle_timeout goes on: a program that pauses for longer should set a longer one.
  // - A reset ends the session at once. After the peer's FIN there is close_timeout to resume() and be handed
  //   what came before it; then the session ends with Cause::connection_lost. A Close frame is seen when it
  //   is read.
  void pause();
  void resume();

  bool is_open() const { return phase_ == Phase::open; }
  // send() said congested, and on_drained has not been called since; or a message is sent in pieces.
  bool is_congested() const { return congested_ || is_sending_pieces(); }
  SessionId id() const;
  Endpoint& endpoint() const { return *endpoint_; }

  template <typename Data>
  Data& data() const {
    return static_cast<Data&>(*data_);
  }
  // Not before a server has agreed to the upgrade: until then HTTP's own state is there.
  void set_data(std::unique_ptr<SessionData> data) { data_ = std::move(data); }

 protected:
  explicit Session(SessionTable& table) : table_(table) {}

  // The handshake is done: the WebSocket begins.
  void open(Endpoint& endpoint, ws::Connection::Options options);
  bool was_opened() const { return phase_ != Phase::handshake; }
  void receive_messages(MutableBytes input);
  // The loop hands it out in its next turn, and then the peer's FIN, if that has come.
  void receive_later(Bytes input, bool end_came);
  // Of a message that is only partly there.
  std::size_t partly_received_bytes() const { return connection_.buffered_bytes(); }

  // Takes its place in the table, once: on_attached does it for those that did not need one earlier.
  void join_table();

  void on_attached() override;
  void on_flushed() override;
  void on_end() override;
  void on_end_unread() override;
  void on_lost(const net::OsError& error) override;
  void on_detached() override;

  // Goes on with what was kept, when the application or the next turn lets it.
  virtual void go_on();
  // Called by the table's sweep. `now_ms` is the table's clock.
  virtual void check_time(std::uint32_t now_ms);
  std::uint32_t now_ms() const;
  SessionTable& table() const { return table_; }
  // How much of a deadline `timeout` that began at `from` has run by `now`. What the peer needs to take what
  // was sent to it does not count (see DrainWatch); to be asked in every sweep.
  std::uint32_t waited_ms(std::uint32_t now, std::uint32_t from, Duration timeout,
                          std::uint32_t bytes_per_second_min);
  // The next deadline has nothing to do with what was queued before.
  void forget_drain();

 private:
  friend class SessionTable;

  enum class Phase : std::uint8_t { handshake, open, closing, ended };

  // Hands out what the share of this turn allows; returns the rest.
  MutableBytes consume(MutableBytes input);
  // Hands out whole messages until there is something else, or one too many. `self` is connection_.role().
  template <ws::Role self>
  MutableBytes hand_out_whole_messages(MutableBytes input);
  bool may_go_on() const;
  std::size_t share_left();
  void add_turn_bytes(std::size_t size);
  void hand_out(const ws::Event& message);
  void check_answers();
  void keep(Bytes input);
  void go_on_next_turn();
  void check_open(std::uint32_t now_ms);
  void check_heartbeat(std::uint32_t now_ms, const SessionSettings& settings);
  void handle_close(const ws::Event& event);
  [[gnu::noinline]] SendResult send_anew(ws::Opcode opcode, Bytes payload);
  SendResult after_queueing();
  SendResult note_congestion();
  // Behind the message that is sent in pieces.
  enum class Form : std::uint8_t { frame, message, uncompressed };
  [[gnu::noinline]] SendResult hold(Form form, ws::Opcode opcode, SharedBytes bytes);
  std::size_t held_bytes() const;
  void send_held();
  bool has_room(std::size_t allowance = 0);
  void end_as_too_slow();
  void begin_closing(Cause cause);
  // Tells the endpoint, once. The transport goes on to its own end.
  void end(Cause cause, std::uint16_t code, std::string_view reason = {}, std::optional<ws::Rule> rule = {});
  // RFC6455§7.1.1: a server sends what is queued and a FIN, then waits for the peer's; a client waits for the
  // server's FIN first, unless it failed the connection.
  void leave();

  static constexpr std::uint32_t kNoPlace = UINT32_MAX;
  std::uint32_t idle_since_ms_ = 0;  // no message since then, but for had_message_
  SessionTable& table_;
  Endpoint* endpoint_ = nullptr;
  std::unique_ptr<SessionData> data_;
  // What follows lies in its padding, as far as there is some.
  [[no_unique_address]] ws::Connection connection_;  // from open() on
  Phase phase_ = Phase::handshake;
  Cause cause_ = Cause::we_closed;
  bool paused_ : 1 = false;
  bool awaiting_pong_ : 1 = false;
  bool congested_ : 1 = false;
  bool had_message_ : 1 = false;   // since the last sweep
  bool has_unread_ : 1 = false;    // the table keeps it
  bool end_waits_ : 1 = false;     // the peer's FIN came, behind what is unread
  bool has_drain_ : 1 = false;     // the table keeps it
  bool goes_on_ : 1 = false;       // go_on() comes in the next turn
  std::uint16_t turn_frames_ = 0;  // of the turn turn_, as turn_bytes_
  std::uint16_t turn_ = 0;
  std::uint32_t place_ = kNoPlace;  // in the table
  std::uint32_t generation_ = 0;    // of its id
  // When the last ping went out, or closing began, or the peer's FIN came while nothing is read.
  std::uint32_t deadline_from_ms_ = 0;
  std::uint32_t turn_bytes_ = 0;
};

}  // namespace fanfare::session
