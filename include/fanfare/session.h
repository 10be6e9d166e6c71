#pragma once
// One WebSocket connection, as its handlers see it.
//
// Thread: a session belongs to one loop. Handlers are called on that loop's thread, one after the other, and
// a Session& is good on that thread only, until its close handler returns. From elsewhere keep id() and use
// Server::post() or Server::publish(). Neither a Session nor a Message can be copied or moved, so that
// neither can be kept by mistake.

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"

namespace fanfare {

namespace api {
class Connection;
class Core;
class EncodedFrame;
}  // namespace api

class HubTopic;

// Borrowed for the call it is passed to.
using Bytes = std::span<const std::uint8_t>;

enum class SendResult : std::uint8_t {
  queued,     // it will be sent
  congested,  // it will be sent, but the peer reads slower than we send: better wait for the drain handler
  closed,     // not sent: the session is closing, or this was more than limits.outbox_bytes_max allows (1013)
};

// The outcome of handing a task or a message to the loops of a server.
enum class PostResult : std::uint8_t {
  accepted,  // it is in the mailbox, and run unless the server stops first
  full,      // refused: as much waits as limits.mailbox_tasks_max and mailbox_bytes_max allow
  stopped,   // refused: the server does not run, or stops
};

struct SendOptions {
  // False: this message is sent as it is, where permessage-deflate was agreed on, too (RFC7692§6): for what
  // is compressed already, and for a secret that must not be compressed together with what an attacker chose.
  bool compress = true;
};

// One whole message as it came. Text is valid UTF-8 (RFC6455§8.1). The payload is gone when the handler
// returns.
class Message {
 public:
  enum class Kind : std::uint8_t { text, binary };

  Message(Kind kind, Bytes payload) : payload_(payload), kind_(kind) {}
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  Kind kind() const { return kind_; }
  bool is_text() const { return kind_ == Kind::text; }
  bool is_binary() const { return kind_ == Kind::binary; }
  Bytes bytes() const { return payload_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(payload_.data()), payload_.size()}; }

 private:
  Bytes payload_;
  Kind kind_;
};

// A piece of a message as it came, for the chunk handler of a route. One message's chunks come one after the
// other, from the first to the last; when the session ends in between, the last one does not come. Text is
// valid UTF-8 as a whole (RFC6455§5.6), and a chunk may begin and end within a character. Gone when the
// handler returns.
class MessageChunk {
 public:
  MessageChunk(Message::Kind kind, Bytes payload, bool is_first, bool is_last)
      : payload_(payload), kind_(kind), is_first_(is_first), is_last_(is_last) {}
  MessageChunk(const MessageChunk&) = delete;
  MessageChunk& operator=(const MessageChunk&) = delete;

  Message::Kind kind() const { return kind_; }  // of the message
  bool is_text() const { return kind_ == Message::Kind::text; }
  bool is_binary() const { return kind_ == Message::Kind::binary; }
  bool is_first() const { return is_first_; }
  bool is_last() const { return is_last_; }
  Bytes bytes() const { return payload_; }  // only those of the last one may be none
  std::string_view text() const { return {reinterpret_cast<const char*>(payload_.data()), payload_.size()}; }

 private:
  Bytes payload_;
  Message::Kind kind_;
  bool is_first_;
  bool is_last_;
};

// A message encoded once, for any number of server sessions: copies share the bytes. Any thread.
class FANFARE_EXPORT Frame {
 public:
  // Copies the payload. Text has to be UTF-8.
  static Frame text(std::string_view payload);
  static Frame binary(Bytes payload);

  std::size_t size() const;  // in bytes, header included

 private:
  friend class api::EncodedFrame;
  explicit Frame(std::shared_ptr<const api::EncodedFrame> encoded) : encoded_(std::move(encoded)) {}
  std::shared_ptr<const api::EncodedFrame> encoded_;
};

// Names a session for as long as its server runs; never reused. Any thread.
struct SessionId {
  std::uint32_t loop = 0;
  std::uint32_t place = 0;
  std::uint32_t generation = 0;
  auto operator<=>(const SessionId&) const = default;
};

// Names a timer of a session, for Session::cancel(); false: no timer was set.
struct SessionTimer {
  std::uint64_t number = 0;
  explicit operator bool() const { return number != 0; }
};

// Why a session ended.
struct Close {
  enum class Cause : std::uint8_t {
    peer_closed,      // the peer's Close frame came first
    we_closed,        // ours did, and the peer answered or had its time to
    rule_broken,      // the peer broke a rule of the RFCs or a limit; code says which kind
    slow_consumer,    // limits.outbox_bytes_max
    pong_timeout,     // silent after a ping
    idle_timeout,     // limits.session_idle_timeout
    connection_lost,  // reset, or FIN without a Close frame
    shut_down,        // the server stopped
  };
  Cause cause = Cause::connection_lost;
  std::uint16_t code = 1006;     // RFC6455§7.1.5: the peer's, or 1005 or 1006 when there was none
  std::string_view reason = {};  // the peer's; borrowed for the call
  // What was queued here, frame headers and TLS included, and never taken by the kernel.
  std::size_t unsent_bytes = 0;
};

// A message that is sent in pieces, by Session::begin_message(): as frames (RFC6455§5.4), so that it may be
// larger than the memory for it, and begin before its end is known. The loop's thread, as its session, which
// it may outlive. A writer that dies before finish() has begun what cannot be ended: it ends its session
// (1011), on whatever thread it dies.
class FANFARE_EXPORT MessageWriter {
 public:
  MessageWriter(MessageWriter&&) noexcept = default;
  MessageWriter& operator=(MessageWriter&& other) noexcept;
  MessageWriter(const MessageWriter&) = delete;
  MessageWriter& operator=(const MessageWriter&) = delete;
  ~MessageWriter();

  // The next piece, copied: one frame, unless it is empty. Of text all pieces together have to be UTF-8. The
  // result is that of Session::send(): after congested, go on in the drain handler.
  SendResult write(std::string_view piece);
  SendResult write(Bytes piece);
  // Ends the message. What others sent to the session meanwhile follows it.
  SendResult finish();
  // Until finish(), and as long as the session is open.
  bool is_open() const;

 private:
  friend class Session;
  MessageWriter(std::weak_ptr<api::Core> core, SessionId session)
      : core_(std::move(core)), session_(session) {}

  std::weak_ptr<api::Core> core_;  // empty: finished
  SessionId session_;
};

class FANFARE_EXPORT Session {
 public:
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session();

  // Sends one message; the bytes are copied before it returns. Text has to be UTF-8: the peer ends the
  // connection over text that is not (RFC6455§8.1).
  SendResult send(std::string_view text);
  SendResult send(Bytes binary);
  // The same kind and payload back.
  SendResult send(const Message& message);
  // Shares the frame's bytes.
  SendResult send(const Frame& frame);
  SendResult send(std::string_view text, SendOptions options);
  SendResult send(Bytes binary, SendOptions options);
  // Begins a message in pieces, which are not compressed. Until its writer has finished it, pings and pongs
  // are sent as ever, and all other messages wait behind it: those of send() and of topics under
  // WhenFull::close count against limits.outbox_bytes_max, the other topics go by their policy. The drain
  // handler is called when the pieces so far have been sent, and again when the message and what waited have
  // been. Empty: the session is closing, or another message is being written.
  std::optional<MessageWriter> begin_message(Message::Kind kind);
  // At most 125 bytes (RFC6455§5.5), more are not sent: closed. The answer comes to the pong handler.
  SendResult ping(Bytes payload = {});

  // Bytes queued here and not yet taken by the kernel.
  std::size_t buffered_amount() const;
  // Between the two no message is handed out, and TCP holds the peer back. Limits::session_idle_timeout goes
  // on. Pongs cannot be read, so it is enough that the peer's system takes our pings. A reset ends the
  // session at once; a FIN does after Limits::close_timeout, and resume() before that hands out what came
  // before the FIN.
  void pause();
  void resume();
  // Starts the closing handshake (RFC6455§7.1.2); the close handler follows. A Close frame carries the codes
  // 1000-1003, 1007-1014 and 3000-4999; with any other it is sent without code and reason. A reason longer
  // than 123 bytes is cut between two characters, and one that is not UTF-8 before its first wrong byte.
  void close(std::uint16_t code = 1000, std::string_view reason = {});
  bool is_open() const;

  // What is published to the topic from here on is sent to this session. A second time changes the policy,
  // for what waits, too: fewer may wait from here on, or, back at WhenFull::close, all of it has to go. That
  // may hold limits.outbox_bytes_max, with what the session's outbox holds, before it ends with 1013. False:
  // it is not subscribed, because it is closing or has limits.topics_per_session_max topics already.
  bool subscribe(std::string_view topic, TopicPolicy policy = {});
  // False: it was not subscribed. Sessions that end are unsubscribed by themselves.
  bool unsubscribe(std::string_view topic);

  // To a topic of the server's hub (hub.h). What follows is every event behind Joined::position, the history
  // first, and nothing twice; a notice (WebSocket::missed) where that does not hold. Nothing of it is sent
  // within the call, so what is sent right after it comes before the first event.
  Expected<Joined, JoinError> subscribe(const HubTopic& topic, const JoinOptions& options = {});
  bool unsubscribe(const HubTopic& topic);

  // Calls the handler once, on the session's loop, when the delay has passed (to within a few milliseconds),
  // and never before this call has returned. It does not run, and is destroyed before the close handler is
  // called, when the session ends first; nor does it run while the session is closing. What it throws ends
  // the session (1011). Refused (false): the session is closing, has limits.timers_per_session_max timers
  // that wait, or the handler is empty. A session without timers has no memory set aside for them.
  SessionTimer call_after(std::chrono::milliseconds delay, UniqueFunction<void(Session&)> handler);
  // The handler is destroyed without having run. False: it has run, or was cancelled before.
  bool cancel(SessionTimer timer);

  SessionId id() const;
  std::string peer() const;              // "127.0.0.1:50312"; "" when the peer is gone
  std::string_view subprotocol() const;  // as agreed; "" for none. Good as long as the session

 protected:
  Session() = default;

 private:
  friend class api::Connection;
  std::uintptr_t behind_ = 0;  // what api::Connection finds its way by
};

// A session with what the program keeps beside it, made by the upgrade handler: see WebSocket<Data>.
template <typename Data>
class SessionWith final : public Session {
 public:
  explicit SessionWith(Data data) : data_(std::move(data)) {}

  // Good as long as the session.
  Data& data() { return data_; }
  const Data& data() const { return data_; }

  // As Session::call_after(), with the session as the other handlers get it.
  SessionTimer call_after(std::chrono::milliseconds delay, UniqueFunction<void(SessionWith&)> handler) {
    if (handler == nullptr) return {};
    return Session::call_after(delay, [handler = std::move(handler)](Session& session) mutable {
      handler(static_cast<SessionWith&>(session));
    });
  }

 private:
  Data data_;
};

}  // namespace fanfare

template <>
struct std::hash<fanfare::SessionId> {
  std::size_t operator()(const fanfare::SessionId& id) const noexcept {
    const std::uint64_t low = (std::uint64_t{id.place} << 32U) | id.generation;
    return static_cast<std::size_t>((low + id.loop) * 0x9E3779B97F4A7C15U);
  }
};
