#pragma once
// A WebSocket client that stays connected (RFC 6455, RFC 7692). It supports ws://, wss:// and ws+unix: URLs
// and proxies, and reconnects after the connection is lost.
//
//   fanfare::Client client(
//       {.url = "wss://example.com/feed"},
//       {.open = [](fanfare::Client& self, const fanfare::Opened&) { self.send("hello"); },
//        .message = [](fanfare::Client&, const fanfare::Message& message) { ... }});
//   client.start();
//
// Threads: each client has its own thread, which calls the handlers one at a time. All other functions may be
// called from any thread. No function calls a handler before it returns, so handlers do not nest. A lock may
// be held during a call, except during run() and the destructor, which wait for handlers.
//
// Exceptions: an exception that escapes a handler ends the client as close(1011) does. An exception that
// escapes the close or failed handler has no further effect. Each one is logged (handler_threw), and the
// process continues.

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
class ClientImpl;
}

class Client;

// Views are borrowed for the call.
struct Opened {
  bool is_reconnect = false;          // not the first connection: repeat your subscriptions
  std::string_view subprotocol = {};  // as negotiated; "": none
  bool compressed = false;            // permessage-deflate was negotiated
};

// The target of an attempt to connect, and the content of its request.
struct ConnectTarget {
  std::string url = {};
  std::vector<Header> headers = {};
  std::vector<std::string> subprotocols = {};
};

// A connection attempt that waits for the program: for a fresh token, or the address of another server.
// Answer it once, now or later, on any thread; no timeout runs until then. If the client was closed, started
// again or destroyed meanwhile, the answer does nothing. Destroying it unused has the effect of give_up().
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

  // Initialised from the options for every attempt; may be changed.
  ConnectTarget target;

  // Whether the client was open before.
  bool is_reconnect() const { return is_reconnect_; }

  void connect() &&;
  // The attempt fails: the failed handler gets the reason (Kind::cancelled), and the next attempt follows
  // options.reconnect.
  void retry_later(std::string reason) &&;
  // The client ends, as after close(): the failed handler gets the reason (Kind::cancelled).
  void give_up(std::string reason) &&;

 private:
  friend class api::ClientImpl;
  ConnectAttempt(std::weak_ptr<api::ClientImpl> impl, std::uint64_t number, bool is_reconnect,
                 ConnectTarget from);

  std::weak_ptr<api::ClientImpl> impl_;  // empty: used
  std::uint64_t number_ = 0;
  bool is_reconnect_ = false;
};

// Every member is optional. A handler may send, close, restart or destroy the client. After its destruction no
// further handler is called, and the connection ends when this handler returns.
struct ClientHandlers {
  // Called before every attempt to connect, the first and later ones. Not set: the options apply unchanged.
  std::function<void(Client&, ConnectAttempt)> before_connect = {};
  std::function<void(Client&, const Opened&)> open = {};
  std::function<void(Client&, const Message&)> message = {};
  // Everything that was queued when send() returned congested has been sent.
  std::function<void(Client&)> drain = {};
  std::function<void(Client&, Bytes payload)> pong = {};
  // An open connection ended. `reconnect_in`: the delay before the next attempt; empty: no further attempt. A reason with
  // "try again in N s" of a Close with 1012 or 1013 adds N seconds to it.
  std::function<void(Client&, const Close&, std::optional<std::chrono::milliseconds> reconnect_in)> close =
      {};
  // A connection attempt failed. `reconnect_in` is as for close.
  std::function<void(Client&, const Error&, std::optional<std::chrono::milliseconds> reconnect_in)> failed =
      {};
};

class FANFARE_EXPORT Client {
 public:
  Client(ClientOptions options, ClientHandlers handlers);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  // Ends the connection without a Close frame and waits for the client's thread; no further handler is
  // called. In one of its own handlers it does not wait: the thread ends by itself. It then destroys the
  // handlers' captures on that thread after the handler has returned.
  ~Client();

  // Starts the client's thread and begins to connect. Also restarts a client that has ended. Handlers report
  // the outcome, including an invalid URL. Errors: bad_option (a limit, a time), system, wrong_state.
  [[nodiscard]] Expected<void, Error> start();
  // Waits until the client has ended (closed, or failed with no attempts left) and its last handler has
  // returned. It also waits for the server to close its side, for at most limits.close_timeout. In one of the
  // client's own handlers it would wait for itself, so the process ends with a message.
  void run();

  // Sends one message; the bytes are copied before it returns. Any thread. Messages from one thread arrive in
  // order, and before a later close().
  //   queued     It will be sent unless the connection is lost. Close::unsent_bytes and unsent_messages()
  //              report such losses.
  //   congested  As queued, but limits.outbox_bytes_high or more is waiting: wait for the drain handler.
  //   closed     Not sent: the connection is not open, or limits.outbox_bytes_max is reached. At that limit,
  //              send() in a handler ends the connection (1013); on another thread it stays open.
  // With options.queue_bytes_max, messages are kept while there is no connection. `queued` then means that
  // they are sent on the next one.
  SendResult send(std::string_view text);
  SendResult send(Bytes binary);
  SendResult send(const Message& message);
  SendResult send(std::string_view text, SendOptions options);
  SendResult send(Bytes binary, SendOptions options);
  // At most 125 bytes (RFC6455§5.5); a longer payload is not sent and returns closed. Never kept for a later
  // connection.
  SendResult ping(Bytes payload = {});
  // No message is delivered between pause() and resume(), and TCP flow control holds the server back. A new
  // connection starts unpaused.
  void pause();
  void resume();
  // Permanently ends the connection or the attempts to make one. The Close frame carries as much of the code
  // and the reason as it can, as in Session::close(). From here on send() returns closed.
  void close(std::uint16_t code = 1000, std::string_view reason = {});

  // The connection is open, and close() was not called.
  bool is_open() const;
  // Bytes that send() accepted and the kernel has not yet accepted. The value is exact in a handler; on other
  // threads it may be slightly out of date.
  std::size_t buffered_amount() const;
  // Messages that send() accepted (queued, congested) but that never reached a connection because it had
  // ended before. Counted since the client was constructed. Close::unsent_bytes counts what a connection had
  // accepted and not sent.
  std::uint64_t unsent_messages() const;

 private:
  std::shared_ptr<api::ClientImpl> impl_;
};

}  // namespace fanfare
