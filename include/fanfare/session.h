#pragma once
// One WebSocket connection, as its handlers see it.
//
// Thread: a session belongs to one loop. Handlers are called one at a time on that loop's thread. A Session&
// is valid only on that thread, until the session's close handler returns. On other threads, keep id() and
// use Server::post() or Server::publish(). Session and Message can be neither copied nor moved, so that they
// cannot be kept by mistake.

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
class ServerImpl;
class EncodedFrame;
}  // namespace api

class HubTopic;

// Borrowed for the call it is passed to.
using Bytes = std::span<const std::uint8_t>;

enum class SendResult : std::uint8_t {
  queued,     // it will be sent
  congested,  // it will be sent, but the peer reads too slowly: wait for the drain handler
  closed,     // not sent: the session is closing, or limits.outbox_bytes_max was reached (1013)
};

// The result of passing a task or a message to a server's loops.
enum class PostResult : std::uint8_t {
  accepted,  // it is in the mailbox, and runs unless the server stops first
  full,      // rejected: limits.mailbox_tasks_max or mailbox_bytes_max is reached
  stopped,   // rejected: the server is not running, or is stopping
};

struct SendOptions {
  // False: this message is sent uncompressed, even if permessage-deflate was negotiated (RFC7692§6). For data
  // that is already compressed, and for secrets, which must not be compressed together with an attacker's
  // data.
  bool compress = true;
};

// One complete message. Text is valid UTF-8 (RFC6455§8.1). The payload is valid until the handler returns.
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

// A piece of a message as it arrived, for the chunk handler of a route. The chunks of one message come in
// sequence, from first to last; if the session ends in between, the last one does not come. Text is valid
// UTF-8 as a whole (RFC6455§5.6), but a chunk may begin and end within a character. Valid until the handler
// returns.
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
  Bytes bytes() const { return payload_; }  // empty only for the last one, if at all
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
  // Copies the payload. Text must be UTF-8.
  static Frame text(std::string_view payload);
  static Frame binary(Bytes payload);

  std::size_t size() const;  // in bytes, header included

 private:
  friend class api::EncodedFrame;
  explicit Frame(std::shared_ptr<const api::EncodedFrame> encoded) : encoded_(std::move(encoded)) {}
  std::shared_ptr<const api::EncodedFrame> encoded_;
};

// Identifies a session for the lifetime of its server; never reused. Any thread.
struct SessionId {
  std::uint32_t loop = 0;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  auto operator<=>(const SessionId&) const = default;
};

// Identifies a session's timer for Session::cancel(); converts to false if no timer was set.
struct SessionTimer {
  std::uint64_t number = 0;
  explicit operator bool() const { return number != 0; }
};

// Why a session ended.
struct Close {
  enum class Cause : std::uint8_t {
    peer_closed,      // the peer sent the first Close frame
    we_closed,        // we sent the first one, and the peer answered or timed out
    rule_broken,      // the peer violated the RFCs or a limit; code says which kind
    slow_consumer,    // limits.outbox_bytes_max was reached
    pong_timeout,     // no data after a ping
    idle_timeout,     // limits.session_idle_timeout
    connection_lost,  // reset, or FIN without a Close frame
    shut_down,        // the server stopped
  };
  Cause cause = Cause::connection_lost;
  std::uint16_t code = 1006;     // RFC6455§7.1.5: the peer's code; without one, 1005 or 1006
  std::string_view reason = {};  // the peer's; borrowed for the call
  // Bytes queued here that the kernel had not accepted by then, including frame headers and TLS. After a FIN without a Close frame they
  // are still sent to a peer that reads.
  std::size_t unsent_bytes = 0;
};

// A message sent in pieces, from Session::begin_message(). The pieces are frames (RFC6455§5.4), so the
// message may be larger than memory and may begin before its end is known. Thread: the loop's, like its
// session; the writer may outlive the session. A message whose writer is destroyed before finish() cannot be
// completed, so the session ends (1011), on whatever thread that happens.
class FANFARE_EXPORT MessageWriter {
 public:
  MessageWriter(MessageWriter&&) noexcept = default;
  MessageWriter& operator=(MessageWriter&& other) noexcept;
  MessageWriter(const MessageWriter&) = delete;
  MessageWriter& operator=(const MessageWriter&) = delete;
  ~MessageWriter();

  // Sends the next piece: one frame, unless it is empty. The bytes are copied. In a text message all pieces
  // together must be UTF-8. The results are those of Session::send(): after congested, continue in the drain
  // handler.
  SendResult write(std::string_view piece);
  SendResult write(Bytes piece);
  // Ends the message. Messages sent to the session meanwhile follow it.
  SendResult finish();
  // True until finish(), as long as the session is open.
  bool is_open() const;

 private:
  friend class Session;
  MessageWriter(std::weak_ptr<api::ServerImpl> impl, SessionId session)
      : impl_(std::move(impl)), session_(session) {}

  std::weak_ptr<api::ServerImpl> impl_;  // empty: finished
  SessionId session_;
};

class FANFARE_EXPORT Session {
 public:
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session();

  // Sends one message; the bytes are copied before it returns. Text must be UTF-8; otherwise the peer ends
  // the connection (RFC6455§8.1).
  SendResult send(std::string_view text);
  SendResult send(Bytes binary);
  // Sends the same kind and payload back.
  SendResult send(const Message& message);
  // Shares the frame's bytes.
  SendResult send(const Frame& frame);
  SendResult send(std::string_view text, SendOptions options);
  SendResult send(Bytes binary, SendOptions options);
  // Begins a message in pieces, which are not compressed. Until its writer has finished it, pings and pongs
  // are sent as usual, and all other messages wait behind it. Messages of send() and of topics under
  // WhenFull::close count against limits.outbox_bytes_max; other topics follow their policy. The drain
  // handler is called when the pieces so far have been sent, and again when the message and the waiting ones
  // have been. Empty: the session is closing, or another message is being written.
  std::optional<MessageWriter> begin_message(Message::Kind kind);
  // At most 125 bytes (RFC6455§5.5); a longer payload is not sent and returns closed. The answer comes to the
  // pong handler.
  SendResult ping(Bytes payload = {});

  // Bytes queued here that the kernel has not yet accepted.
  std::size_t buffered_amount() const;
  // Between pause() and resume() no message is delivered, and TCP flow control holds the peer back.
  // Limits::session_idle_timeout keeps running. Pongs cannot be read while paused, so the session stays alive
  // as long as the peer's system accepts our pings. A reset ends the session immediately; a FIN ends it after
  // Limits::close_timeout. resume() before that delivers the data that preceded the FIN.
  void pause();
  void resume();
  // Starts the closing handshake (RFC6455§7.1.2); the close handler follows. A Close frame can carry the
  // codes 1000-1003, 1007-1014 and 3000-4999; for any other code it is sent without code and reason. A reason
  // longer than 123 bytes is cut between two characters. Invalid UTF-8 is cut before its first invalid byte.
  void close(std::uint16_t code = 1000, std::string_view reason = {});
  bool is_open() const;

  // Later publishes to the topic are sent to this session. A repeated call changes the policy, also for
  // messages that already wait. Fewer messages may then wait; on a change back to WhenFull::close, all of
  // them must be sent. They and the session's outbox together may hold limits.outbox_bytes_max; beyond that
  // the session ends with 1013. False: not subscribed, because the session is closing or already has
  // limits.topics_per_session_max topics.
  bool subscribe(std::string_view topic, TopicPolicy policy = {});
  // False: it was not subscribed. A session is unsubscribed automatically when it ends.
  bool unsubscribe(std::string_view topic);

  // Subscribes to a topic of the server's hub (hub.h). Every event after Joined::position follows, the
  // history first, each once. Missing events are reported (WebSocket::missed). No event is sent before the
  // call returns, so a message sent right after it comes before the first event.
  Expected<Joined, JoinError> subscribe(const HubTopic& topic, const JoinOptions& options = {});
  bool unsubscribe(const HubTopic& topic);

  // Calls the handler once, on the session's loop, when the delay has passed (to within a few milliseconds),
  // and never before this call has returned. If the session ends first, the handler is destroyed unrun, before
  // the close handler is called. It does not run while the session is closing either. An exception ends the
  // session (1011). Refused (false): the session is closing, already has limits.timers_per_session_max pending
  // timers, or the handler is empty. A session without timers uses no memory for them.
  SessionTimer call_after(std::chrono::milliseconds delay, UniqueFunction<void(Session&)> handler);
  // Destroys the handler without running it. False: it has already run or been cancelled.
  bool cancel(SessionTimer timer);

  SessionId id() const;
  std::string peer() const;              // "127.0.0.1:50312"; "" if the peer has disconnected
  std::string_view subprotocol() const;  // as negotiated; "" for none. Valid as long as the session

 protected:
  Session() = default;

 private:
  friend class api::Connection;
  std::uintptr_t behind_ = 0;  // used by api::Connection to find its data
};

// A session with the program's own data, created by the upgrade handler: see WebSocket<Data>.
template <typename Data>
class SessionWith final : public Session {
 public:
  explicit SessionWith(Data data) : data_(std::move(data)) {}

  // Valid as long as the session.
  Data& data() { return data_; }
  const Data& data() const { return data_; }

  // As Session::call_after(), but passes the typed session to the handler.
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
    const std::uint64_t low = (std::uint64_t{id.slot} << 32U) | id.generation;
    return static_cast<std::size_t>((low + id.loop) * 0x9E3779B97F4A7C15U);
  }
};
