#include "session/session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/log_limiter.h"
#include "session/session_table.h"

namespace fanfare::session {
std::string_view name_of(Cause cause) {
  switch (cause) {
    case Cause::peer_closed:
      return "peer_closed";
    case Cause::we_closed:
      return "we_closed";
    case Cause::rule_broken:
      return "rule_broken";
    case Cause::slow_consumer:
      return "slow_consumer";
    case Cause::pong_timeout:
      return "pong_timeout";
    case Cause::idle_timeout:
      return "idle_timeout";
    case Cause::connection_lost:
      return "connection_lost";
    case Cause::shut_down:
      return "shut_down";
  }
  return "";
}

Session::~Session() = default;

SessionId Session::id() const {
  if (slot_ == kNoSlot) return {};
  return {.slot = slot_, .generation = generation_};
}

std::uint32_t Session::now_ms() const {
  return table_.now_ms();
}

void Session::join_table() {
  if (slot_ == kNoSlot) table_.add(*this);
}

void Session::on_attached() {
  join_table();
}

void Session::open(Endpoint& endpoint, ws::Connection::Options options) {
  endpoint_ = &endpoint;
  connection_ = ws::Connection(std::move(options));
  phase_ = Phase::open;
  deadline_from_ms_ = idle_since_ms_ = now_ms();
  endpoint.on_open(*this);
}

void Session::receive_messages(MutableBytes input) {
  awaiting_pong_ = false;
  table_.counters().bytes_received.add(input.size());
  // The loop may already have had more data when reading was paused.
  if (has_unread_) return keep(input);
  const MutableBytes rest = consume(input);
  if (rest.empty() || is_closed()) return;
  keep(rest);
  go_on_next_turn();
}

void Session::receive_later(Bytes input, bool end_came) {
  keep(input);
  end_waits_ = end_came;
  pause_reading();
  if (!paused_) table_.go_on_next_turn(*this);
}

// Bytes that may still be read in this turn; also zero after enough frames.
std::size_t Session::share_left() {
  if (const auto turn = static_cast<std::uint16_t>(loop().turn_number()); turn_ != turn) {
    turn_ = turn;
    turn_frames_ = 0;
    turn_bytes_ = 0;
  }
  const SessionSettings& settings = endpoint_->settings();
  if (turn_frames_ >= settings.frames_per_turn_max || turn_bytes_ >= settings.bytes_per_turn_max) return 0;
  return settings.bytes_per_turn_max - turn_bytes_;
}

void Session::keep(Bytes input) {
  std::vector<std::uint8_t>& kept = table_.unread_[this].bytes;
  kept.insert(kept.end(), input.begin(), input.end());
  has_unread_ = true;
}

void Session::go_on() {
  if (paused_ || !has_unread_ || is_closed()) return;
  if (share_left() == 0) return table_.go_on_next_turn(*this);  // still the same turn
  // Taken out while it is processed, because handlers may pause and resume.
  auto taken = table_.unread_.extract(this);
  has_unread_ = false;
  SessionTable::Unread& unread = taken.mapped();
  const MutableBytes rest = consume(MutableBytes(unread.bytes).subspan(unread.done));
  if (is_closed()) return;
  if (!rest.empty()) {
    unread.done = unread.bytes.size() - rest.size();
    table_.unread_.insert(std::move(taken));
    has_unread_ = true;
    return go_on_next_turn();
  }
  if (end_waits_) {
    end_waits_ = false;
    return on_end();
  }
  if (!paused_) resume_reading();
}

void Session::go_on_next_turn() {
  if (paused_) return;  // resume() continues
  pause_reading();
  table_.counters().turn_shares_spent.add();
  endpoint_->on_turn_share_spent(*this);
  table_.go_on_next_turn(*this);
}

inline void Session::add_turn_bytes(std::size_t size) {
  turn_bytes_ += static_cast<std::uint32_t>(std::min<std::size_t>(size, UINT32_MAX - turn_bytes_));
}

inline void Session::hand_out(const ws::Event& message) {
  had_message_ = true;
  if (message.last) table_.counters().messages_received.add();
  if (phase_ == Phase::open) {
    endpoint_->on_message(
        *this,
        {.opcode = message.opcode, .payload = message.payload, .first = message.first, .last = message.last});
  }
}

inline bool Session::may_go_on() const {
  const SessionSettings& settings = endpoint_->settings();
  return !is_closed() && !paused_ && turn_frames_ < settings.frames_per_turn_max &&
         turn_bytes_ < settings.bytes_per_turn_max;
}

// The path of nearly all messages. Counters are updated once, at the end.
template <ws::Role self>
MutableBytes Session::hand_out_whole_messages(MutableBytes input) {
  Endpoint& endpoint = *endpoint_;
  const std::size_t before = input.size();
  const unsigned messages_max = endpoint.settings().frames_per_turn_max - turn_frames_;
  unsigned messages = 0;
  while (messages < messages_max && phase_ == Phase::open && !paused_ && !is_closed()) {
    const auto message = connection_.next_whole_message<self>(input);
    if (!message) break;
    ++messages;
    const MutableBytes payload(message->payload.data(), message->payload.size());
    endpoint.on_message(*this, {.opcode = message->opcode, .payload = payload});
  }
  if (messages > 0) had_message_ = true;
  turn_frames_ = static_cast<std::uint16_t>(turn_frames_ + messages);
  add_turn_bytes(before - input.size());
  table_.counters().messages_received.add(messages);
  return input;
}

MutableBytes Session::consume(MutableBytes input) {
  const std::size_t share = std::min(share_left(), input.size());
  const MutableBytes after = input.subspan(share);
  input = input.first(share);
  const bool is_server = connection_.role() == ws::Role::server;
  bool has_answered = false;
  while (may_go_on()) {
    input = is_server ? hand_out_whole_messages<ws::Role::server>(input)
                      : hand_out_whole_messages<ws::Role::client>(input);
    if (!may_go_on() || (input.empty() && connection_.buffered_bytes() == 0)) break;
    const std::size_t before = input.size();
    const auto event = connection_.next(input, *this);
    add_turn_bytes(std::max(before - input.size(), event ? event->payload.size() : 0));
    if (!event) break;
    ++turn_frames_;
    switch (event->kind) {
      case ws::Event::Kind::message:
        hand_out(*event);
        break;
      case ws::Event::Kind::ping:
        has_answered = true;
        break;
      case ws::Event::Kind::pong:
        if (phase_ == Phase::open) endpoint_->on_pong(*this, event->payload);
        break;
      case ws::Event::Kind::close:
        handle_close(*event);
        break;
      case ws::Event::Kind::failed: {
        const ws::RuleInfo& rule = ws::info(event->rule);
        static LogLimiter broken(log::Level::debug, "websocket_rule_broken", kDebugLogLimits);
        broken.write({{"rule", rule.name}, {"section", rule.clause}, {"code", rule.code}});
        end(Cause::rule_broken, rule.code, {}, event->rule);
        leave();
        break;
      }
    }
  }
  if (has_answered) check_answers();
  return {input.data(), input.size() + after.size()};
}

// Automatic replies (pongs) count against the outbox as well. They may follow one large message that exceeds
// the outbox limit.
void Session::check_answers() {
  const SessionSettings& settings = endpoint_->settings();
  const std::size_t allowance = settings.limits.message_bytes_max;
  if (phase_ == Phase::open && !has_room(allowance)) return;
  // RFC6455§5.5.2: Pings are answered until the peer's Close arrives, but not for a peer that reads none of
  // the pongs, see docs/decisions/0014-where-we-are-lenient.md.
  if (phase_ == Phase::closing && queued_bytes() >= 2 * settings.outbox_bytes_max + allowance) {
    end(cause_, ws::close_code::abnormal);
    close();
  }
}

void Session::handle_close(const ws::Event& event) {
  const std::string reason(as_text(event.payload));
  if (phase_ == Phase::closing) {
    end(cause_, event.code, reason);
  } else {
    end(Cause::peer_closed, event.code, reason);
  }
  leave();
}

SendResult Session::send(ws::Opcode opcode, Bytes payload) {
  // Far from every limit, after another message of this turn.
  net::Outbox* const growing = growing_outbox();
  if (growing != nullptr && phase_ == Phase::open && connection_.sends_plainly(payload)) [[likely]] {
    const SessionSettings& settings = endpoint_->settings();
    const std::size_t after = growing->bytes() + ws::kHeaderBytesMax + payload.size();
    if (after < settings.outbox_bytes_high && after < settings.outbox_bytes_max) [[likely]] {
      if (std::uint8_t* const room = growing->extend_in_place(ws::plain_frame_size(payload))) [[likely]] {
        had_message_ = true;
        table_.counters().messages_sent.add();
        ws::write_plain_frame(room, opcode, payload);
        return SendResult::queued;
      }
    }
  }
  return send_slowly(opcode, payload);
}

SendResult Session::send_slowly(ws::Opcode opcode, Bytes payload) {
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  if (is_sending_pieces()) return hold(Form::message, opcode, SharedBytes(payload));
  connection_.send(opcode, payload, *this);
  had_message_ = true;
  return after_queueing();
}

SendResult Session::send_frame(const SharedBytes& frame) {
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  if (is_sending_pieces()) return hold(Form::frame, {}, frame);
  push(connection_.shared_form(frame));
  had_message_ = true;
  return after_queueing();
}

SendResult Session::ping(Bytes payload) {
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  connection_.ping(payload, *this);
  return after_queueing();
}

SendResult Session::after_queueing() {
  table_.counters().messages_sent.add();
  return note_congestion();
}

SendResult Session::note_congestion() {
  if (queued_bytes() + held_bytes() < endpoint_->settings().outbox_bytes_high) return SendResult::queued;
  congested_ = true;
  tell_when_flushed();
  return SendResult::congested;
}

// One message may exceed the limit, so that a peer that keeps up can get a long response. Only data that is
// already waiting counts.
bool Session::has_room(std::size_t allowance) {
  if (queued_bytes() + held_bytes() < endpoint_->settings().outbox_bytes_max + allowance) return true;
  end_as_too_slow();
  return false;
}

bool Session::has_room_behind(std::size_t waiting_bytes) {
  if (phase_ != Phase::open) return false;
  if (queued_bytes() + held_bytes() + waiting_bytes < endpoint_->settings().outbox_bytes_max) return true;
  end_as_too_slow();
  return false;
}

void Session::end_as_too_slow() {
  connection_.close(ws::close_code::try_again_later, "reading too slowly", *this);
  begin_closing(Cause::slow_consumer);
}

void Session::expect_drained() {
  congested_ = true;
  tell_when_flushed();
}

void Session::start_closing(std::uint16_t code, std::string_view reason) {
  if (phase_ != Phase::open) return;
  connection_.close(code, reason, *this);
  begin_closing(Cause::we_closed);
}

void Session::shut_down(std::uint16_t code, std::string_view reason) {
  if (phase_ == Phase::handshake) return close();
  if (phase_ != Phase::open) return;
  connection_.close(code, reason, *this);
  begin_closing(Cause::shut_down);
}

void Session::begin_closing(Cause cause) {
  phase_ = Phase::closing;
  cause_ = cause;
  forget_drain();
  deadline_from_ms_ = now_ms();
  // The peer's Close must be read, even if the application paused the session.
  resume();
}

void Session::end(Cause cause, std::uint16_t code, std::string_view reason, std::optional<ws::Rule> rule) {
  if (phase_ == Phase::handshake || phase_ == Phase::ended) return;
  phase_ = Phase::ended;
  forget_drain();
  deadline_from_ms_ = now_ms();
  endpoint_->on_close(
      *this, {.cause = cause,
              .code = code,
              .reason = reason,
              .broken_rule = rule,
              .unsent_bytes = held_bytes() + (connection_.should_close_transport() ? 0 : queued_bytes())});
  table_.held_.erase(this);
}

void Session::leave() {
  if (connection_.should_close_transport()) finish_writing();
}

void Session::pause() {
  if (phase_ != Phase::open) return;
  paused_ = true;
  if (is_end_unread() || end_waits_)
    deadline_from_ms_ = now_ms();  // until now nothing was read for another reason
  pause_reading();
}

void Session::resume() {
  if (!paused_) return;
  paused_ = false;
  awaiting_pong_ = false;
  // Deferred: a handler must not run on the stack of a caller that resumes, sends or closes.
  if (has_unread_) return table_.go_on_next_turn(*this);
  resume_reading();
}

void Session::on_flushed() {
  if (!congested_) return;
  congested_ = false;
  if (phase_ == Phase::open) endpoint_->on_drained(*this);
}

void Session::on_end() {
  // Data that arrived before the FIN is delivered first.
  if (has_unread_) {
    end_waits_ = true;
    if (paused_) deadline_from_ms_ = now_ms();
    return;
  }
  // A FIN within the WebSocket connection, or the peer's side of the closing.
  if (phase_ == Phase::ended && queued_bytes() > 0)
    return finish_writing();  // the peer may still read; the loop closes after the last byte
  end(phase_ == Phase::closing ? cause_ : Cause::connection_lost, ws::close_code::abnormal);
  close();
}

void Session::on_end_unread() {
  if (paused_) deadline_from_ms_ = now_ms();
}

void Session::on_lost(const net::OsError&) {
  end(phase_ == Phase::closing ? cause_ : Cause::connection_lost, ws::close_code::abnormal);
}

void Session::on_detached() {
  end(phase_ == Phase::closing ? cause_ : Cause::shut_down, ws::close_code::abnormal);
  forget_drain();
  if (slot_ != kNoSlot) table_.remove(*this);
}

}  // namespace fanfare::session
