#pragma once
// The sending half of a Session: messages, frames and pieces on their way to the transport, within the limits
// of the outbox.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/shared_bytes.h"
#include "session/endpoint.h"
#include "session/member.h"
#include "session/send_result.h"
#include "session/session_data.h"
#include "ws/connection.h"

namespace fanfare::session {

class SessionOutput : public Member {
 public:
  SendResult send(ws::Opcode opcode, Bytes payload);
  SendResult send_text(std::string_view text) { return send(ws::Opcode::text, as_bytes(text)); }
  // Sends a complete frame from ws::encode_message(), shared with other sessions. Server side only: it is not
  // masked.
  SendResult send_frame(const SharedBytes& frame);
  // As send_frame(), but never compressed, unless it has to wait behind a message in pieces.
  SendResult send_frame_as_it_is(const SharedBytes& frame);
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

  // Replaces the limits of its endpoint from the next frame on. They must outlive the session.
  void limit_messages(const ws::Limits& limits) { connection_.set_limits(limits); }

  bool is_open() const { return phase_ == Phase::open; }
  // send() said congested, and on_drained has not been called since; or a message is sent in pieces.
  bool is_congested() const { return congested_ || is_sending_pieces(); }
  Endpoint& endpoint() const { return *endpoint_; }
  SessionTable& table() const final { return endpoint_->table(); }

 protected:
  enum class Phase : std::uint8_t {
    open,
    closing,  // our Close was sent
    ended,    // the endpoint has been notified
    dropped,  // closed without a closing handshake; the endpoint is notified when the transport has gone
  };

  SessionOutput(net::Transport& transport, Endpoint& endpoint, ws::Connection::Options options);

  virtual void begin_closing(Cause cause) = 0;

  // Whether one more message may be queued; otherwise the session is ending.
  bool has_room(std::size_t allowance = 0);
  // After automatic replies (pongs), which count against the outbox as well. False: the peer reads none of them, not even
  // while it closes, and the session must be dropped.
  bool has_room_for_answers();
  // After `came` bytes of input were processed: accounts for a message that has come in part. The session ends if there is
  // no memory for it.
  void note_unfinished(std::size_t came) {
    if (is_unfinished_ || connection_.buffered_bytes() > 0) [[unlikely]]
      account_for_unfinished(came);
  }
  void account_for_unfinished(std::size_t came);
  // True: a message comes more slowly than message_bytes_per_second_min, so the session ends. While nothing is read, none can
  // come.
  bool ends_slow_message(std::uint32_t now_ms, bool is_paused);
  // Bytes of messages that wait behind one that is sent in pieces.
  std::size_t held_bytes() const;
  void drop_held();
  void end_unfinished(std::uint16_t code, std::string_view reason, Cause cause);
  // Everything queued was sent. Whether someone waits for that.
  bool take_congested() {
    const bool was = congested_;
    congested_ = false;
    return was;
  }

  // The fields use padding where possible.
  Phase phase_ = Phase::open;
  bool congested_ : 1 = false;
  bool had_message_ : 1 = false;    // since the last sweep
  bool is_unfinished_ : 1 = false;  // the table has an account of a message that has come in part
  // When the last ping was sent, closing began, or the peer's FIN arrived while nothing was being read.
  std::uint32_t deadline_from_ms_ = 0;
  Endpoint* const endpoint_;
  std::unique_ptr<SessionData> data_;
  [[no_unique_address]] ws::Connection connection_;

 private:
  friend class SessionTable;

  [[gnu::noinline]] SendResult send_slowly(ws::Opcode opcode, Bytes payload);
  // A large message whose frame is its payload behind a header. Returns how much of it the system has taken.
  std::size_t send_without_copy(ws::Opcode opcode, Bytes payload);
  SendResult after_queueing();
  // `sent`: counts as waiting until the end of the turn, so that a sender of large messages is stopped as any other.
  SendResult note_congestion(std::size_t sent = 0);
  // Behind the message that is sent in pieces.
  enum class Form : std::uint8_t { frame, message, uncompressed };
  [[gnu::noinline]] SendResult hold(Form form, ws::Opcode opcode, SharedBytes bytes);
  void send_held();
  template <typename Queue>
  void queue_counted(Queue queue);
  void end_as_too_slow();
};

}  // namespace fanfare::session
