#pragma once
// One WebSocket connection after its handshake, RFC 6455 from §5 to §8, without I/O: it takes bytes and
// produces events and bytes. One thread at a time.
//
//   while (auto event = connection.next(input, output)) handle(*event);   // input is empty now
//   write(output);
//   if (connection.should_close_transport()) close();
//
// next() writes pongs, the reply to a Close and the Close after a failure to `output`.
//
// To pause reading, stop calling next() and keep the remaining input.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/random.h"
#include "fanfare/options.h"
#include "ws/close_code.h"
#include "ws/codec.h"
#include "ws/encode.h"
#include "ws/frame_header.h"
#include "ws/incoming.h"
#include "ws/mask.h"
#include "ws/opcode.h"
#include "ws/rules.h"
#include "ws/state.h"
#include "ws/utf8.h"
#include "ws/whole_message.h"

namespace fanfare::ws {

// RFC6455§10.4. Both apply to received messages; beyond them the connection fails with 1009.
struct Limits {
  std::size_t message_bytes_max = fanfare::Limits{}.message_bytes_max;  // also after inflation
  std::uint32_t fragments_max = fanfare::Limits{}.fragments_max;        // including empty ones
};
inline constexpr Limits kDefaultLimits{};

// Largest compressed size of a message: deflate makes incompressible data slightly longer.
constexpr std::uint64_t compressed_bytes_max(const Limits& limits) {
  return limits.message_bytes_max + limits.message_bytes_max / 8 + 64;
}

struct Event {
  enum class Kind : std::uint8_t {
    message,  // opcode, payload; with Options::pieces a piece of one, as first and last say
    ping,     // payload; the pong is in the output
    pong,     // payload
    close,    // code, payload: the peer's reason. The last event
    failed,   // rule, code that was sent: the peer broke a rule. The last event
  };
  Kind kind = Kind::message;
  Opcode opcode = Opcode::binary;  // text or binary
  Rule rule{};
  std::uint16_t code = 0;
  bool first = true;  // of the pieces of a message
  bool last = true;
  // Good until the next call of next(), or until the memory of the input goes if that is earlier. The owner
  // may write into it.
  MutableBytes payload;
};

enum class SendResult : std::uint8_t {
  ok,
  not_open,       // a Close was sent or received: no more data may be sent
  in_message,     // our own fragmented message is not finished
  too_long,       // control payloads have at most 125 bytes, reasons 123
  invalid_close,  // the code must not be sent, or the reason is not UTF-8
};

class Connection {
 public:
  struct Options {
    Role role = Role::server;
    const Limits* limits = &kDefaultLimits;  // outlives the connection
    Random* random = nullptr;                // masking keys; a server needs none. Outlives the connection
    std::unique_ptr<MessageCodec> codec;     // null: no compression was agreed on
    // A message that does not lie whole in the input is handed out in pieces as it comes, and not kept. A
    // piece of text may begin and end within a character. Only the last one may be empty.
    bool pieces = false;
  };
  Connection() = default;  // to be assigned later
  explicit Connection(Options options);

  // Consumes `input` up to the end of the frame that completes an event. It may modify the input, since it
  // unmasks in place. Empty: more bytes are needed; all input has been consumed, and incomplete parts are
  // kept. A message in one uncompressed frame that lies entirely in the input is returned as a view of it.
  // After `close` and `failed` everything is discarded (RFC6455§7.1.7).
  std::optional<Event> next(MutableBytes& input, Output& output);
  // Hands over the memory of the message that next() has just returned, so that the payload outlives the next call. Null:
  // the payload is a view of the input.
  IncomingPtr take_message(Bytes payload) { return keeps(payload) ? std::move(incoming_) : IncomingPtr(); }
  // Whether take_message() would.
  bool keeps(Bytes payload) const {
    return incoming_ != nullptr && incoming_->payload().data() == payload.data();
  }
  // Fast path for nearly all frames: a complete uncompressed message below 64 KiB that lies entirely in the
  // input. Use it when reading many messages: it stays in registers. Empty: call next() instead. `self` must
  // equal role().
  template <Role self>
  [[gnu::always_inline]] std::optional<WholeMessage> next_whole_message(MutableBytes& input) {
    if (incoming_ != nullptr || state() != State::open) return std::nullopt;
    return take_whole_message<self>(input, limits_->message_bytes_max);
  }

  // Sends one complete message, compressed if that makes it smaller. The caller guarantees that text is
  // UTF-8.
  SendResult send(Opcode opcode, Bytes payload, Output& output);
  // Sends a message in pieces, whose number need not be known. The first piece decides between text and
  // binary; `last` ends the message. Not compressed. Between pieces only control frames may be sent.
  SendResult send_fragment(Opcode opcode, Bytes piece, bool last, Output& output);
  SendResult ping(Bytes payload, Output& output);
  SendResult pong(Bytes payload, Output& output);
  // Starts the closing handshake; the peer's reply is the event `close`. close_code::no_status sends an empty
  // body. Further calls do nothing.
  SendResult close(std::uint16_t code, std::string_view reason, Output& output);
  // RFC6455§7.1.7: sends a Close unless one was sent, and discards all further input. The reason is the
  // rule's name.
  void fail(Rule rule, Output& output);
  void fail(std::uint16_t code, std::string_view reason, Output& output);

  // From the next frame on. They must outlive the connection. The frame that is being read keeps its length.
  void set_limits(const Limits& limits) { limits_ = &limits; }

  State state() const { return state_; }
  Role role() const { return role_; }
  // Whether a complete frame from elsewhere may be added to the output (encode_message()).
  bool can_send_message() const { return state_ == State::open && !sending_message_; }
  // Whether send() would only prepend a header to the payload.
  bool sends_as_is() const {
    const bool by_state = (state_ == State::open) & !sending_message_ & (role_ == Role::server);
    return by_state && codec_ == nullptr;
  }
  // The same, with the short header of write_plain_frame().
  bool sends_plainly(Bytes payload) const { return sends_as_is() && payload.size() < 65'536; }
  // Returns such a frame in the form this connection sends: compressed, if compression was negotiated.
  SharedBytes shared_form(const SharedBytes& frame) {
    return codec_ == nullptr ? frame : codec_->shared_form(frame);
  }
  // RFC6455§7.1.1: a server closes TCP first, once its output is flushed. A client waits for that, as long as
  // its owner's timeout allows, and closes immediately only if it failed the connection. The closing side
  // first shuts down writing and then reads to the end, since a reset could destroy the Close frame in
  // transit.
  bool should_close_transport() const {
    return state_ == State::failed || (state_ == State::closed && role_ == Role::server);
  }
  // Memory held for incomplete frames and messages.
  std::size_t buffered_bytes() const {
    return incoming_ == nullptr ? 0 : sizeof(Incoming) + incoming_->buffered_bytes();
  }

 private:
  std::expected<std::optional<FrameHeader>, Rule> read_header(MutableBytes& input);
  FrameExpectation expectation() const;
  std::optional<Event> whole_frame(const FrameHeader& header, MutableBytes& input, Output& output);
  std::optional<Rule> begin_frame(const FrameHeader& header);
  std::optional<Rule> read_payload(MutableBytes& input);
  std::optional<Rule> read_data(MutableBytes piece, bool ascii);
  std::optional<Event> end_frame(Output& output);
  std::optional<Event> take_piece();
  Event control_event(Opcode opcode, MutableBytes payload, Output& output);
  Event failed(Rule rule, MutableBytes& input, Output& output);
  void write_close(std::uint16_t code, std::string_view reason, Output& output);
  void write(const OutgoingFrame& frame, Output& output) { write_frame(output, role_, random_, frame); }

  const Limits* limits_ = nullptr;
  Random* random_ = nullptr;
  std::unique_ptr<MessageCodec> codec_;
  IncomingPtr incoming_;
  Role role_ : 1 = Role::server;
  State state_ : 2 = State::open;
  bool sending_message_ : 1 = false;  // a fragmented one
  bool pieces_ : 1 = false;
};

static_assert(sizeof(Connection) <= 40, "an idle connection is this, a socket and a few pointers");

}  // namespace fanfare::ws
