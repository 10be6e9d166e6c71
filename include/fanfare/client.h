#pragma once
// A WebSocket client that stays connected (RFC 6455, RFC 7692): ws://, wss:// and ws+unix:, through a proxy
// if need be, and again after the connection was lost.
//
//   fanfare::Client client({.url = "wss://example.com/feed"},
//                          {.open = [](fanfare::Client& self, const fanfare::Opened&) { self.send("hello");
//                          },
//                           .message = [](fanfare::Client&, const fanfare::Message& message) { ... }});
//   client.start();
//
// Threads: a client has a thread of its own, on which its handlers are called, one after the other.
// Everything else may be called from any thread. No call calls a handler before it returns: handlers do not
// nest, and a lock may be held during a call (not during run() and the destructor, which wait for handlers).
//
// Exceptions: one that leaves a handler ends the client as close(1011) does, and one of the close and failed
// handlers has no further effect. Each is logged (handler_threw), and the process goes on.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/options.h"
#include "fanfare/session.h"

namespace fanfare {

namespace api {
class ClientCore;
}

class Client;

// Views are borrowed for the call.
struct Opened {
  bool is_reconnect = false;          // not the first time: subscribe again to what was subscribed to
  std::string_view subprotocol = {};  // as agreed; "": none
  bool compressed = false;            // permessage-deflate was agreed on
};

// Where an attempt to connect goes, and what it says there.
struct ConnectTarget {
  std::string url = {};
  std::vector<Header> headers = {};
  std::vector<std::string> subprotocols = {};
};

// An attempt to connect that waits for the program: for a fresh token, or the address of another server. It
// is answered once, now or later and on any thread; nothing is limited in time until then. After the client
// was closed, started again or destroyed, the answer to an earlier attempt does nothing. One that dies unused
// gives up.
//
//   .before_connect = [&](fanfare::Client&, fanfare::ConnectAttempt attempt) {
//     tokens.fetch([attempt = std::move(attempt)](std::string token) mutable {
//       attempt.target.headers.push_back({"Authorization", "Bearer " + token});
//       std::move(attempt).connect();
//     });
//   }
class FANFARE_EXPORT ConnectAttempt {
 public:
  ConnectAttempt(ConnectAttempt&&) noexcept = default;
  ConnectAttempt& operator=(ConnectAttempt&& other) noexcept;
  ConnectAttempt(const ConnectAttempt&) = delete;
  ConnectAttempt& operator=(const ConnectAttempt&) = delete;
  ~ConnectAttempt();

  // As in the options, for every attempt again; to be changed at will.
  ConnectTarget target;

  // Whether the client was open before.
  bool is_reconnect() const { return is_reconnect_; }

  void connect() &&;
  // The attempt failed: the failed handler gets the reason (Kind::cancelled), and the next attempt comes as
  // options.reconnect says.
  void retry_later(std::string reason) &&;
  // The client ends, as after close(): the failed handler gets the reason (Kind::cancelled).
  void give_up(std::string reason) &&;

 private:
  friend class api::ClientCore;
  ConnectAttempt(std::weak_ptr<api::ClientCore> core, std::uint64_t number, bool is_reconnect,
                 ConnectTarget from);

  std::weak_ptr<api::ClientCore> core_;  // empty: used
  std::uint64_t number_ = 0;
  bool is_reconnect_ = false;
};

// Every member may be left out. A handler may send, close and start again as it likes. It may destroy the
// client, too: no handler is called any more, and the connection ends when this one has returned.
struct ClientHandlers {
  // Before every attempt to connect, the first and those after a loss. Left out: the options hold for all.
  std::function<void(Client&, ConnectAttempt)> before_connect = {};
  std::function<void(Client&, const Opened&)> open = {};
  std::function<void(Client&, const Message&)> message = {};
  // All that was queued when send() said congested has been sent.
  std::function<void(Client&)> drain = {};
  std::function<void(Client&, Bytes payload)> pong = {};
  // An open connection ended. `reconnect_in`: the wait before the next attempt; empty: there is none.
  std::function<void(Client&, const Close&, std::optional<std::chrono::milliseconds> reconnect_in)> close =
      {};
  // An attempt to connect failed; as close.
  std::function<void(Client&, const Error&, std::optional<std::chrono::milliseconds> reconnect_in)> failed =
      {};
};

class FANFARE_EXPORT Client {
 public:
  Client(ClientOptions options, ClientHandlers handlers);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  // Ends the connection without a Close frame and waits for the thread; no handler is called any more. In one
  // of its own handlers it does not wait: the thread ends by itself, and what the handlers have captured is
  // destroyed there, after the handler has returned.
  ~Client();

  // Begins to connect, with its thread; also after the client has ended, to begin anew. What comes of it is
  // told to the handlers, a bad URL too. Errors: bad_option (a limit, a time), system, wrong_state.
  [[nodiscard]] Expected<void, Error> start();
  // Waits until the client has ended (closed, or failed with nothing left to try), its last handler has
  // returned, and the server has closed its side, too, for at most limits.close_timeout. In one of its own
  // handlers it would wait for itself: the process ends with a message.
  void run();

  // Sends one message; the bytes are copied before it returns. Any thread; what one thread sends arrives in
  // its order, before a close() that follows.
  //   queued     It is on its way, and lost only with the connection: then Close::unsent_bytes and
  //              unsent_messages() tell.
  //   congested  As queued, with limits.outbox_bytes_high or more waiting: better wait for the drain handler.
  //   closed     Not sent: the connection is not open, or as much waits as limits.outbox_bytes_max allows.
  //   For
  //              that, a handler's send() ends the connection (1013); on another thread it stays open.
  // With options.queue_bytes_max, messages are kept while there is no connection: queued means then that
  // they are sent when there is one again.
  SendResult send(std::string_view text);
  SendResult send(Bytes binary);
  SendResult send(const Message& message);
  SendResult send(std::string_view text, SendOptions options);
  SendResult send(Bytes binary, SendOptions options);
  // At most 125 bytes (RFC6455§5.5), more are not sent: closed. Never kept for a later connection.
  SendResult ping(Bytes payload = {});
  // No message is handed out from pause() to resume(), and TCP holds the server back. A new connection is not
  // paused.
  void pause();
  void resume();
  // Ends the connection, or the attempts to make one, for good. The Close frame says as much of the code and
  // the reason as it can carry, as in Session::close(). From here on send() says closed.
  void close(std::uint16_t code = 1000, std::string_view reason = {});

  // The connection is there, and close() was not called.
  bool is_open() const;
  // Bytes that send() took and the kernel has not taken yet. In a handler it is exact, elsewhere it is what
  // it was a moment ago.
  std::size_t buffered_amount() const;
  // Messages that send() took (queued, congested) and no connection did, because it had ended before, since
  // the client was made. What a connection had taken and not sent is in Close::unsent_bytes.
  std::uint64_t unsent_messages() const;

 private:
  std::shared_ptr<api::ClientCore> core_;
};

}  // namespace fanfare
