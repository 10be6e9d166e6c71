#include "session/session_output.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "session/session_table.h"
#include "ws/frame_header.h"

namespace fanfare::session {
namespace {

// Of a smaller one, the copy is in the cache, and costs less than a system call for each message instead of one for all of a turn.
constexpr std::size_t kSentWithoutCopyFromBytes = std::size_t{256} << 10;

}  // namespace

SessionOutput::SessionOutput(net::Transport& transport, Endpoint& endpoint, ws::Connection::Options options)
    : Member(Kind::websocket, transport), endpoint_(&endpoint), connection_(std::move(options)) {}

// Of the messages alone: what is queued as answer to a ping or as the Close is not counted.
template <typename Queue>
void SessionOutput::queue_counted(Queue queue) {
  const std::size_t before = queued_bytes();
  queue();
  table().count_bytes_sent(*this, queued_bytes() - before);
}

SendResult SessionOutput::send(ws::Opcode opcode, Bytes payload) {
  // Far from every limit. On a closed transport what is queued is dropped, and does not count.
  if (phase_ == Phase::open && connection_.sends_plainly(payload) && !is_closed()) [[likely]] {
    const SessionSettings& settings = endpoint_->settings();
    const std::size_t size = ws::plain_frame_size(payload);
    const std::size_t after = queued_bytes() + size;
    if (after < settings.outbox_bytes_high && after < settings.outbox_bytes_max) [[likely]] {
      ws::write_plain_frame(transport().extend(size), opcode, payload);
      had_message_ = true;
      table().count_sent(*this);
      table().count_bytes_sent(*this, size);
      return SendResult::queued;
    }
  }
  return send_slowly(opcode, payload);
}

SendResult SessionOutput::send_slowly(ws::Opcode opcode, Bytes payload) {
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  if (is_sending_pieces()) return hold(Form::message, opcode, SharedBytes(payload));
  std::size_t sent = 0;
  if (payload.size() >= kSentWithoutCopyFromBytes && queued_bytes() == 0 && connection_.sends_as_is()) {
    sent = send_without_copy(opcode, payload);
  } else {
    queue_counted([&] { connection_.send(opcode, payload, transport()); });
  }
  had_message_ = true;
  table().count_sent(*this);
  return note_congestion(sent);
}

std::size_t SessionOutput::send_without_copy(ws::Opcode opcode, Bytes payload) {
  std::array<std::uint8_t, ws::kHeaderBytesMax> head;
  const Bytes header(head.data(),
                     ws::write_header(head.data(), ws::Role::server, opcode, true, false, payload.size()));
  const std::size_t sent = transport().send_now(header, payload);
  table().count_bytes_sent(*this, header.size() + payload.size());
  if (sent == header.size() + payload.size()) return sent;
  const Bytes of_header = header.subspan(std::min(sent, header.size()));
  const Bytes of_payload = payload.subspan(std::max(sent, header.size()) - header.size());
  SharedBytes rest;
  try {
    if (sent >= header.size() && connection_.keeps(payload)) {
      // An echo: it stays where it came. The transport, which has just taken the beginning, keeps it at least until the end of the turn,
      // so it outlives the call of the handler.
      rest = SharedBytes::kept_by(of_payload, [&]() noexcept { return connection_.take_message(payload); });
    } else {
      rest = SharedBytes::filled(of_header.size() + of_payload.size(), [&](MutableBytes room) {
        std::ranges::copy(of_payload, std::ranges::copy(of_header, room.begin()).out);
      });
    }
  } catch (const std::bad_alloc&) {
    // Nothing may follow half a frame.
    if (sent > 0) transport().close();
    throw;
  }
  transport().push(std::move(rest));
  return sent;
}

SendResult SessionOutput::send_frame(const SharedBytes& frame) {
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  if (is_sending_pieces()) return hold(Form::frame, {}, frame);
  queue_counted([&] { transport().push(connection_.shared_form(frame)); });
  had_message_ = true;
  return after_queueing();
}

SendResult SessionOutput::send_frame_as_it_is(const SharedBytes& frame) {
  if (is_sending_pieces()) return send_frame(frame);
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  queue_counted([&] { transport().push(frame); });
  had_message_ = true;
  return after_queueing();
}

SendResult SessionOutput::send_uncompressed(ws::Opcode opcode, Bytes payload) {
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  if (is_sending_pieces()) return hold(Form::uncompressed, opcode, SharedBytes(payload));
  queue_counted([&] { connection_.send_fragment(opcode, payload, true, transport()); });
  had_message_ = true;
  return after_queueing();
}

SendResult SessionOutput::send_piece(ws::Opcode opcode, Bytes piece, bool last) {
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  queue_counted([&] { connection_.send_fragment(opcode, piece, last, transport()); });
  had_message_ = true;
  if (!last) return note_congestion();
  table().count_sent(*this);
  send_held();
  // Senders that waited for the end of the message wait for on_drained.
  expect_drained();
  return note_congestion();
}

SendResult SessionOutput::ping(Bytes payload) {
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  connection_.ping(payload, transport());
  return after_queueing();
}

SendResult SessionOutput::after_queueing() {
  table().count_sent(*this);
  return note_congestion();
}

SendResult SessionOutput::note_congestion(std::size_t sent) {
  if (sent + queued_bytes() + held_bytes() < endpoint_->settings().outbox_bytes_high)
    return SendResult::queued;
  expect_drained();
  return SendResult::congested;
}

void SessionOutput::expect_drained() {
  congested_ = true;
  transport().notify_when_flushed();
}

// One message may exceed the limit, so that a peer that keeps up can get a long response. Only data that is
// already waiting counts.
bool SessionOutput::has_room(std::size_t allowance) {
  if (queued_bytes() + held_bytes() < endpoint_->settings().outbox_bytes_max + allowance) return true;
  end_as_too_slow();
  return false;
}

// The replies may follow one large message that exceeds the outbox limit.
// RFC6455§5.5.2: Pings are answered until the peer's Close arrives, but not for a peer that reads none of the pongs, see
// docs/decisions/0014-where-we-are-lenient.md.
bool SessionOutput::has_room_for_answers() {
  const SessionSettings& settings = endpoint_->settings();
  const std::size_t allowance = settings.limits.message_bytes_max;
  if (phase_ == Phase::open && has_room(allowance)) return true;
  return phase_ != Phase::closing || queued_bytes() < 2 * settings.outbox_bytes_max + allowance;
}

bool SessionOutput::has_room_behind(std::size_t waiting_bytes) {
  if (phase_ != Phase::open) return false;
  if (queued_bytes() + held_bytes() + waiting_bytes < endpoint_->settings().outbox_bytes_max) return true;
  end_as_too_slow();
  return false;
}

void SessionOutput::account_for_unfinished(std::size_t came) {
  if (!table().unfinished().has_budget() && endpoint_->settings().message_bytes_per_second_min == 0) return;
  const std::size_t held = connection_.buffered_bytes();
  const bool is_read = phase_ == Phase::open || phase_ == Phase::closing;
  if (!is_read) return;
  is_unfinished_ = held != 0;
  if (table().unfinished().note(*this, held, came, now_ms())) return;
  end_unfinished(ws::close_code::try_again_later, "no memory for a message of this length", Cause::we_closed);
}

bool SessionOutput::ends_slow_message(std::uint32_t now, bool is_paused) {
  const SessionSettings& settings = endpoint_->settings();
  const std::uint32_t rate = settings.message_bytes_per_second_min;
  if (!is_unfinished_ || rate == 0 || settings.pieces) return false;
  if (is_paused) {
    table().unfinished().restart(*this, now);
    return false;
  }
  if (!table().unfinished().is_too_slow(*this, settings.message_timeout, rate, now)) return false;
  end_unfinished(ws::close_code::policy_violation, "a message took too long to arrive", Cause::idle_timeout);
  return true;
}

// RFC6455§7.1.7: what has come of the message is discarded, and so is the rest.
void SessionOutput::end_unfinished(std::uint16_t code, std::string_view reason, Cause cause) {
  connection_.fail(code, reason, transport());
  MutableBytes nothing;
  connection_.next(nothing, transport());
  is_unfinished_ = false;
  table().unfinished().forget(*this);
  if (phase_ == Phase::open) begin_closing(cause);
  transport().finish_writing();
}

void SessionOutput::end_as_too_slow() {
  connection_.close(ws::close_code::try_again_later, "reading too slowly", transport());
  begin_closing(Cause::slow_consumer);
}

// RFC6455§5.4: the frames of messages do not interleave.
SendResult SessionOutput::hold(Form form, ws::Opcode opcode, SharedBytes bytes) {
  SessionTable::Held& held = table().held_[this];
  held.bytes += bytes.size() + ws::kHeaderBytesMax;
  held.messages.push_back({.form = form, .opcode = opcode, .bytes = std::move(bytes)});
  had_message_ = true;
  return after_queueing();
}

std::size_t SessionOutput::held_bytes() const {
  if (connection_.can_send_message() || table().held_.empty()) return 0;
  const auto found = table().held_.find(this);
  return found == table().held_.end() ? 0 : found->second.bytes;
}

void SessionOutput::drop_held() {
  table().held_.erase(this);
}

void SessionOutput::send_held() {
  const auto taken = table().held_.extract(this);
  if (taken.empty()) return;
  queue_counted([&] {
    for (const SessionTable::HeldMessage& message : taken.mapped().messages) {
      switch (message.form) {
        case Form::frame:
          transport().push(connection_.shared_form(message.bytes));
          break;
        case Form::message:
          connection_.send(message.opcode, message.bytes.view(), transport());
          break;
        case Form::uncompressed:
          connection_.send_fragment(message.opcode, message.bytes.view(), true, transport());
          break;
      }
    }
  });
}

}  // namespace fanfare::session
