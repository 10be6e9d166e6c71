// The sending half of the connection.

#include <array>
#include <cstring>

#include "base/check.h"
#include "ws/close_frame.h"
#include "ws/connection.h"
#include "ws/utf8.h"

namespace fanfare::ws {

SendResult Connection::send(Opcode opcode, Bytes payload, Output& output) {
  FANFARE_CHECK(opcode == Opcode::text || opcode == Opcode::binary);
  if (sends_plainly(payload)) {
    write_plain_frame(output.extend(plain_frame_size(payload)), opcode, payload);
    return SendResult::ok;
  }
  if (state_ != State::open) return SendResult::not_open;
  // RFC6455§5.4: messages do not interleave.
  if (sending_message_) return SendResult::in_message;
  if (codec_ != nullptr) {
    if (const auto compressed = codec_->compress(opcode, payload)) {
      write({.opcode = opcode, .compressed = true, .payload = *compressed}, output);
      return SendResult::ok;
    }
  }
  write({.opcode = opcode, .payload = payload}, output);
  return SendResult::ok;
}

SendResult Connection::send_fragment(Opcode opcode, Bytes piece, bool last, Output& output) {
  FANFARE_CHECK(opcode == Opcode::text || opcode == Opcode::binary);
  if (state_ != State::open) return SendResult::not_open;
  write({.opcode = sending_message_ ? Opcode::continuation : opcode, .fin = last, .payload = piece}, output);
  sending_message_ = !last;
  return SendResult::ok;
}

SendResult Connection::ping(Bytes payload, Output& output) {
  if (state_ != State::open) return SendResult::not_open;
  // RFC6455§5.5: control frames are small.
  if (payload.size() > kControlPayloadBytesMax) return SendResult::too_long;
  write({.opcode = Opcode::ping, .payload = payload}, output);
  return SendResult::ok;
}

SendResult Connection::pong(Bytes payload, Output& output) {
  if (state_ != State::open) return SendResult::not_open;
  if (payload.size() > kControlPayloadBytesMax) return SendResult::too_long;
  write({.opcode = Opcode::pong, .payload = payload}, output);
  return SendResult::ok;
}

SendResult Connection::close(std::uint16_t code, std::string_view reason, Output& output) {
  if (code == close_code::no_status ? !reason.empty() : !is_valid_close_code(code))
    return SendResult::invalid_close;
  if (reason.size() > kCloseReasonBytesMax) return SendResult::too_long;
  if (!is_valid_utf8(as_bytes(reason))) return SendResult::invalid_close;
  const auto [next, action] = transition(state_, Input::close);
  state_ = next;
  if (action != Action::send_close) return SendResult::not_open;
  write_close(code, reason, output);
  return SendResult::ok;
}

void Connection::fail(Rule rule, Output& output) {
  fail(info(rule).code, info(rule).name, output);
}

void Connection::fail(std::uint16_t code, std::string_view reason, Output& output) {
  FANFARE_CHECK(is_valid_close_code(code) && reason.size() <= kCloseReasonBytesMax);
  const auto [next, action] = transition(state_, Input::failure);
  state_ = next;
  if (action == Action::send_close) write_close(code, reason, output);
}

void Connection::write_close(std::uint16_t code, std::string_view reason, Output& output) {
  std::array<std::uint8_t, kControlPayloadBytesMax> body{};
  std::size_t size = 0;
  if (code != close_code::no_status) {
    body[0] = static_cast<std::uint8_t>(code >> 8U);
    body[1] = static_cast<std::uint8_t>(code & 0xFFU);
    size = 2 + reason.size();
    if (!reason.empty()) std::memcpy(body.data() + 2, reason.data(), reason.size());
  }
  write({.opcode = Opcode::close, .payload = Bytes(body).first(size)}, output);
}

}  // namespace fanfare::ws
