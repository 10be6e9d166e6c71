#pragma once
// One WebSocket connection on either side, after its handshake: it connects the protocol (ws::Connection)
// with the socket (net::Stream). Use it on its loop's thread only; other threads post to the loop with its
// SessionId.
//
// No call here runs a method of the endpoint before it returns; the loop calls the endpoint later.

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

// Identifies a session for the lifetime of its loop: every session has another generation, even in a reused
// slot. No session has the default one.
struct SessionId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  bool operator==(const SessionId&) const = default;
};

enum class SendResult : std::uint8_t {
  queued,
  congested,  // queued, but the peer reads too slowly: wait for on_drained
  closed,     // not queued: the session is not open, or outbox_bytes_max was reached (slow_consumer)
};

// The application's data for a session.
class SessionData {
 public:
  virtual ~SessionData() = default;
  // The negotiated subprotocol, before on_open; empty: none.
  virtual void on_agreed(std::string_view /*subprotocol*/) {}
};

class Session : public net::Stream {
 public:
  ~Session() override;

  SendResult send(ws::Opcode opcode, Bytes payload);
  SendResult send_text(std::string_view text) { return send(ws::Opcode::text, as_bytes(text)); }
  // Sends a complete frame from ws::encode_message(), shared with other sessions. Server side only: it is not
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
  // False: the outbox, plus `waiting_bytes` held for it elsewhere, is at outbox_bytes_max. The session then
  // ends as after one message too many (slow_consumer). Also false if the session is not open.
  bool has_room_behind(std::size_t waiting_bytes);
  // Call it after queueing data: on_drained is called when all of it has been sent, congested or not.
  void expect_drained();
  // Starts the closing handshake; on_close follows when the peer answers or after close_timeout. The code
  // must be one that may be sent; the reason is at most 123 bytes of UTF-8.
  void start_closing(std::uint16_t code, std::string_view reason = {});
  // The server stops: as start_closing, with Cause::shut_down.
  virtual void shut_down(std::uint16_t code, std::string_view reason = {});

  // Between pause() and resume() nothing is passed to on_message; TCP flow control holds the peer back.
  // Meanwhile:
  // - Pings are sent, but pongs cannot be read. Instead, the peer's system must accept the ping within
  //   pong_timeout.
  // - SessionSettings::idle_timeout keeps running: a program that pauses for longer should set a longer one.
  // - A reset ends the session immediately. After the peer's FIN, resume() within close_timeout delivers the
  //   earlier data; otherwise the session ends with Cause::connection_lost. A Close frame is noticed only
  //   when it is read.
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
  // Must not be called before a server has accepted the upgrade: until then HTTP state is stored there.
  void set_data(std::unique_ptr<SessionData> data) { data_ = std::move(data); }

 protected:
  explicit Session(SessionTable& table) : table_(table) {}

  // The handshake is complete: the WebSocket begins.
  void open(Endpoint& endpoint, ws::Connection::Options options);
  bool was_opened() const { return phase_ != Phase::handshake; }
  void receive_messages(MutableBytes input);
  // Keeps the input. The loop delivers it in its next turn, followed by the peer's FIN if that has arrived.
  void receive_later(Bytes input, bool end_came);
  // Size of the incomplete message.
  std::size_t partly_received_bytes() const { return connection_.buffered_bytes(); }

  // Adds the session to the table, once; on_attached does it for sessions that have not joined earlier.
  void join_table();

  void on_attached() override;
  void on_flushed() override;
  void on_end() override;
  void on_end_unread() override;
  void on_lost(const net::OsError& error) override;
  void on_detached() override;

  // Continues with kept input, when the application or the next turn permits it.
  virtual void go_on();
  // Called by the table's sweep. `now_ms` is from the table's clock.
  virtual void check_time(std::uint32_t now_ms);
  std::uint32_t now_ms() const;
  SessionTable& table() const { return table_; }
  // How much of the deadline `timeout`, started at `from`, has elapsed by `now`. The time that the peer needs
  // to accept earlier data does not count (see DrainWatch). Must be called in every sweep.
  std::uint32_t waited_ms(std::uint32_t now, std::uint32_t from, Duration timeout,
                          std::uint32_t bytes_per_second_min);
  // The next deadline is independent of the data queued before.
  void forget_drain();

 private:
  friend class SessionTable;

  enum class Phase : std::uint8_t { handshake, open, closing, ended };

  // Delivers what this turn's share allows; returns the rest.
  MutableBytes consume(MutableBytes input);
  // Delivers complete messages until other input, or one beyond the share. `self` is connection_.role().
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
  [[gnu::noinline]] SendResult send_slowly(ws::Opcode opcode, Bytes payload);
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
  // Notifies the endpoint, once. The transport ends separately.
  void end(Cause cause, std::uint16_t code, std::string_view reason = {}, std::optional<ws::Rule> rule = {});
  // RFC6455§7.1.1: a server sends the queued data and a FIN, then waits for the peer's FIN. A client waits
  // for the server's FIN first, unless it failed the connection.
  void leave();

  static constexpr std::uint32_t kNoSlot = UINT32_MAX;
  std::uint32_t idle_since_ms_ = 0;  // no message since then, but for had_message_
  SessionTable& table_;
  Endpoint* endpoint_ = nullptr;
  std::unique_ptr<SessionData> data_;
  // The fields below use its padding where possible.
  [[no_unique_address]] ws::Connection connection_;  // from open() on
  Phase phase_ = Phase::handshake;
  Cause cause_ = Cause::we_closed;
  bool paused_ : 1 = false;
  bool awaiting_pong_ : 1 = false;
  bool congested_ : 1 = false;
  bool had_message_ : 1 = false;   // since the last sweep
  bool has_unread_ : 1 = false;    // stored in the table
  bool end_waits_ : 1 = false;     // the peer's FIN arrived, after the unread data
  bool has_drain_ : 1 = false;     // stored in the table
  bool goes_on_ : 1 = false;       // go_on() is called in the next turn
  std::uint16_t turn_frames_ = 0;  // in the turn turn_, as turn_bytes_
  std::uint16_t turn_ = 0;
  std::uint32_t slot_ = kNoSlot;  // in the table
  std::uint32_t generation_ = 0;  // of its id
  // When the last ping was sent, closing began, or the peer's FIN arrived while nothing was being read.
  std::uint32_t deadline_from_ms_ = 0;
  std::uint32_t turn_bytes_ = 0;
};

}  // namespace fanfare::session
