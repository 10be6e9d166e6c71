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
// Everything else may be called from any thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

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

// Every member may be left out. A handler may send, close and start again as it likes; it may not destroy the
// client.
struct ClientHandlers {
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
  // Ends the connection without a Close frame and waits for the thread; no handler is called any more.
  ~Client();

  // Begins to connect, with its thread; also after the client has ended, to begin anew. What comes of it is
  // told to the handlers, a bad URL too. Errors: bad_option (a limit, a time), system, wrong_state.
  [[nodiscard]] Expected<void, Error> start();
  // Waits until the client has ended (closed, or failed with nothing left to try), its last handler has
  // returned, and the server has closed its side, too, for at most limits.close_timeout. Not from a handler.
  void run();

  // Sends one message; the bytes are copied before it returns. Nothing is kept for a later connection. From a
  // handler the result is the truth of that moment; from another thread queued means: handed over.
  SendResult send(std::string_view text);
  SendResult send(Bytes binary);
  SendResult send(const Message& message);
  // At most 125 bytes (RFC6455§5.5), more are not sent: closed.
  SendResult ping(Bytes payload = {});
  // In a handler: no message is handed out from pause() to resume(), and TCP holds the server back.
  void pause();
  void resume();
  // Ends the connection, or the attempts to make one, for good. A code or reason that no Close frame may
  // carry is left out, as in Session::close().
  void close(std::uint16_t code = 1000, std::string_view reason = {});

 private:
  std::unique_ptr<api::ClientCore> core_;
};

}  // namespace fanfare
