// A message that a session sends in pieces, and what waits behind it. RFC6455§5.4: the frames of messages do
// not interleave.

#include <utility>

#include "session/session.h"
#include "session/session_table.h"

namespace fanfare::session {

SendResult Session::send_uncompressed(ws::Opcode opcode, Bytes payload) {
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  if (is_sending_pieces()) return hold(Form::uncompressed, opcode, SharedBytes(payload));
  connection_.send_fragment(opcode, payload, true, *this);
  had_message_ = true;
  return after_queueing();
}

SendResult Session::send_piece(ws::Opcode opcode, Bytes piece, bool last) {
  if (phase_ != Phase::open || !has_room()) return SendResult::closed;
  connection_.send_fragment(opcode, piece, last, *this);
  had_message_ = true;
  if (!last) return note_congestion();
  table_.counters().messages_sent.add();
  send_held();
  // Whoever waited for the end of the message waits for on_drained.
  expect_drained();
  return note_congestion();
}

SendResult Session::hold(Form form, ws::Opcode opcode, SharedBytes bytes) {
  SessionTable::Held& held = table_.held_[this];
  held.bytes += bytes.size() + ws::kHeaderBytesMax;
  held.messages.push_back({.form = form, .opcode = opcode, .bytes = std::move(bytes)});
  had_message_ = true;
  return after_queueing();
}

std::size_t Session::held_bytes() const {
  if (connection_.can_send_message() || table_.held_.empty()) return 0;
  const auto found = table_.held_.find(this);
  return found == table_.held_.end() ? 0 : found->second.bytes;
}

void Session::send_held() {
  const auto taken = table_.held_.extract(this);
  if (taken.empty()) return;
  for (const SessionTable::HeldMessage& message : taken.mapped().messages) {
    switch (message.form) {
      case Form::frame:
        push(connection_.shared_form(message.bytes));
        break;
      case Form::message:
        connection_.send(message.opcode, message.bytes.view(), *this);
        break;
      case Form::uncompressed:
        connection_.send_fragment(message.opcode, message.bytes.view(), true, *this);
        break;
    }
  }
}

}  // namespace fanfare::session
