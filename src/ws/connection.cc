#include "ws/connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "ws/close_frame.h"
#include "ws/mask.h"
#include "ws/utf8.h"

namespace fanfare::ws {
namespace {

// Of a compressed message that is handed out in pieces, at once.
constexpr std::size_t kInflateStepBytes = 2048;

Rule rule_of(CodecError error) {
  switch (error) {
    case CodecError::corrupt:
      // RFC7692§7.2.2: data that cannot be inflated is not a message.
      return Rule::compressed_data_corrupt;
    // RFC7692§8: a message may be small on the wire but large in memory.
    case CodecError::message_too_big:
      return Rule::inflated_message_too_big;
    case CodecError::ratio_exceeded:
      return Rule::inflation_ratio_exceeded;
    case CodecError::out_of_contexts:
      return Rule::deflate_contexts_exhausted;
  }
  return Rule::compressed_data_corrupt;
}

}  // namespace

Connection::Connection(Options options)
    : limits_(options.limits),
      random_(options.random),
      codec_(std::move(options.codec)),
      role_(options.role),
      pieces_(options.pieces) {
  FANFARE_CHECK(limits_ != nullptr && limits_->fragments_max > 0);
  FANFARE_CHECK(role_ == Role::server || random_ != nullptr);
}

std::optional<Event> Connection::next(MutableBytes& input, Output& output) {
  if (incoming_ != nullptr && incoming_->idle()) incoming_.reset();
  while (is_reading(state_)) {
    if (incoming_ == nullptr || !incoming_->in_frame) {
      const auto header = read_header(input);
      if (!header) return failed(header.error(), input, output);
      if (!*header) return std::nullopt;
      if (auto event = whole_frame(**header, input, output)) return event;
      if (const auto broken = begin_frame(**header)) return failed(*broken, input, output);
    }
    if (const auto broken = read_payload(input)) return failed(*broken, input, output);
    if (pieces_ && !is_control(incoming_->frame.opcode)) {
      if (auto event = take_piece()) return event;
      if (incoming_->payload_left > 0 && input.empty()) return std::nullopt;
      continue;
    }
    if (incoming_->payload_left > 0) return std::nullopt;
    if (auto event = end_frame(output)) {
      // RFC6455§5.5.1: data after a Close is ignored.
      if (!is_reading(state_)) input = input.last(0);
      return event;
    }
  }
  // RFC6455§7.1.7: after the end everything is discarded.
  incoming_.reset();
  input = input.last(0);
  return std::nullopt;
}

FrameExpectation Connection::expectation() const {
  const std::uint64_t compressed_max = compressed_bytes_max(*limits_);
  FrameExpectation expect{.self = role_,
                          .compression = codec_ != nullptr,
                          .data_bytes_max = limits_->message_bytes_max,
                          .compressed_bytes_max = compressed_max};
  if (incoming_ != nullptr && incoming_->in_message) {
    expect.in_message = true;
    expect.fragments_left = limits_->fragments_max - incoming_->fragments;
    expect.data_bytes_max =
        (incoming_->compressed ? compressed_max : limits_->message_bytes_max) - incoming_->wire_bytes;
  }
  return expect;
}

std::expected<std::optional<FrameHeader>, Rule> Connection::read_header(MutableBytes& input) {
  if (input.empty()) return std::nullopt;
  if (incoming_ == nullptr || incoming_->header_size == 0) {
    auto header = parse_header(input, expectation());
    if (!header) return header;
    if (*header) {
      input = input.subspan((*header)->header_size);
      return header;
    }
    if (incoming_ == nullptr) incoming_ = make_incoming();
  }
  Incoming& kept = *incoming_;
  const std::size_t before = kept.header_size;
  const std::size_t more = std::min(input.size(), kept.header.size() - before);
  std::memcpy(kept.header.data() + before, input.data(), more);
  const Bytes so_far(kept.header.data(), before + more);
  auto header = parse_header(so_far, expectation());
  if (header && !*header) {
    // Fourteen bytes always suffice, so all of the input has been copied.
    kept.header_size = static_cast<std::uint8_t>(so_far.size());
    input = input.subspan(more);
  } else if (header) {
    kept.header_size = 0;
    input = input.subspan((*header)->header_size - before);
  }
  return header;
}

// Handles a frame that lies completely in the input: it needs no memory, and its payload is a view.
std::optional<Event> Connection::whole_frame(const FrameHeader& header, MutableBytes& input, Output& output) {
  const bool control = is_control(header.opcode);
  const bool whole_message = header.fin && header.opcode != Opcode::continuation && !header.compressed;
  if (header.payload_size > input.size() || !(control || whole_message)) return std::nullopt;

  const MutableBytes payload = input.first(static_cast<std::size_t>(header.payload_size));
  input = input.subspan(payload.size());
  const bool ascii = role_ == Role::server && unmask(payload, header.mask_key);
  if (control) {
    if (header.opcode == Opcode::close) {
      if (const auto broken = broken_close_rule(payload, payload.size()))
        return failed(*broken, input, output);
      // RFC6455§5.5.1: data after a Close is ignored.
      input = input.last(0);
    }
    return control_event(header.opcode, payload, output);
  }
  // A header that came in two parts was kept; it is no longer needed.
  incoming_.reset();
  // RFC6455§8.1: text is UTF-8.
  if (header.opcode == Opcode::text && !ascii && !is_valid_utf8(payload)) {
    return failed(Rule::text_not_utf8, input, output);
  }
  return Event{.kind = Event::Kind::message, .opcode = header.opcode, .payload = payload};
}

std::optional<Rule> Connection::begin_frame(const FrameHeader& header) {
  if (incoming_ == nullptr) incoming_ = make_incoming();
  Incoming& kept = *incoming_;
  kept.frame = header;
  kept.payload_left = header.payload_size;
  kept.in_frame = true;
  if (is_control(header.opcode)) {
    kept.control_size = 0;
    if (header.opcode != Opcode::close) return std::nullopt;
    return broken_close_rule({}, static_cast<std::size_t>(header.payload_size));
  }
  if (header.opcode == Opcode::continuation) {
    ++kept.fragments;
  } else {
    kept.in_message = true;
    kept.handed_out = false;
    kept.opcode = header.opcode;
    kept.compressed = header.compressed;
    kept.fragments = 1;
    kept.wire_bytes = 0;
  }
  kept.wire_bytes += header.payload_size;
  return std::nullopt;
}

// Reads the available part of the current frame's payload, which may be empty.
std::optional<Rule> Connection::read_payload(MutableBytes& input) {
  Incoming& kept = *incoming_;
  auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kept.payload_left, input.size()));
  // So that a piece inflates to no more than about 2 MiB.
  if (pieces_ && kept.compressed && !is_control(kept.frame.opcode)) size = std::min(size, kInflateStepBytes);
  const MutableBytes piece = input.first(size);
  input = input.subspan(size);
  kept.payload_left -= size;
  bool ascii = false;
  if (role_ == Role::server) {
    ascii = unmask(piece, kept.frame.mask_key);
    kept.frame.mask_key = advance_mask_key(kept.frame.mask_key, size);
  }
  if (!is_control(kept.frame.opcode)) return read_data(piece, ascii);

  if (size > 0) std::memcpy(kept.control.data() + kept.control_size, piece.data(), size);
  kept.control_size = static_cast<std::uint8_t>(kept.control_size + size);
  if (kept.frame.opcode != Opcode::close) return std::nullopt;
  return broken_close_rule(Bytes(kept.control).first(kept.control_size),
                           static_cast<std::size_t>(kept.frame.payload_size));
}

std::optional<Rule> Connection::read_data(MutableBytes piece, bool ascii) {
  Incoming& kept = *incoming_;
  const bool last = kept.frame.fin && kept.payload_left == 0;
  Bytes text = piece;
  std::optional<Rule> broken_by_codec;
  if (kept.compressed) {
    if (piece.empty() && !last) return std::nullopt;
    if (pieces_) kept.inflated.clear();
    const std::size_t before = kept.inflated.size();
    const auto inflated =
        pieces_ ? codec_->decompress_piece(piece, last, limits_->message_bytes_max, kept.inflated)
                : codec_->decompress(piece, last, limits_->message_bytes_max, kept.inflated);
    if (!inflated) broken_by_codec = rule_of(inflated.error());
    text = Bytes(kept.inflated).subspan(before);
    ascii = false;
    if (pieces_) kept.due_piece = kept.inflated;
  } else if (pieces_) {
    kept.due_piece = piece;
  } else {
    kept.append(piece, limits_->message_bytes_max);
  }
  if (kept.opcode == Opcode::text) {
    // RFC6455§8.1: text is UTF-8; the error is reported at the first invalid byte. Output that the codec
    // produced before it stopped is checked first.
    const bool needs_no_look = ascii && kept.utf8.complete();
    if (!needs_no_look && !kept.utf8.feed(text)) return Rule::text_not_utf8;
    // RFC6455§5.6: only the message as a whole must be UTF-8; its frames may split characters.
    if (last && !broken_by_codec && !kept.utf8.complete()) return Rule::text_not_utf8;
  }
  return broken_by_codec;
}

std::optional<Event> Connection::end_frame(Output& output) {
  Incoming& kept = *incoming_;
  kept.in_frame = false;
  if (is_control(kept.frame.opcode)) {
    return control_event(kept.frame.opcode, MutableBytes(kept.control).first(kept.control_size), output);
  }
  if (!kept.frame.fin) return std::nullopt;
  kept.in_message = false;
  return Event{.kind = Event::Kind::message, .opcode = kept.opcode, .payload = kept.payload()};
}

// What has come of a message since the last piece; empty: nothing that is worth an event.
std::optional<Event> Connection::take_piece() {
  Incoming& kept = *incoming_;
  const bool last = kept.payload_left == 0 && kept.frame.fin;
  if (kept.payload_left == 0) kept.in_frame = false;
  if (last) kept.in_message = false;
  const MutableBytes piece = std::exchange(kept.due_piece, {});
  if (piece.empty() && !last) return std::nullopt;
  return Event{.kind = Event::Kind::message,
               .opcode = kept.opcode,
               .first = !std::exchange(kept.handed_out, true),
               .last = last,
               .payload = piece};
}

// A control frame that breaks no rule.
Event Connection::control_event(Opcode opcode, MutableBytes payload, Output& output) {
  if (opcode == Opcode::ping) {
    // RFC6455§5.5.2: pings are answered until the peer's Close arrives, so also in the closing state.
    // RFC6455§5.5.3: the pong carries the ping's data.
    write({.opcode = Opcode::pong, .payload = payload}, output);
    return {.kind = Event::Kind::ping, .payload = payload};
  }
  if (opcode == Opcode::pong) return {.kind = Event::Kind::pong, .payload = payload};

  const std::uint16_t code = close_code_of(payload);
  const auto [next, action] = transition(state_, Input::peer_close);
  state_ = next;
  // RFC6455§5.5.1: the reply carries the code received.
  if (action == Action::echo_close) write_close(code, {}, output);
  return {.kind = Event::Kind::close,
          .code = code,
          .payload = payload.subspan(std::min<std::size_t>(2, payload.size()))};
}

Event Connection::failed(Rule rule, MutableBytes& input, Output& output) {
  fail(rule, output);
  incoming_.reset();
  input = input.last(0);
  return {.kind = Event::Kind::failed, .rule = rule, .code = info(rule).code};
}

}  // namespace fanfare::ws
