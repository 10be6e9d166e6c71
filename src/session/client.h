#pragma once
// One logical connection to a server, kept up: it connects, and when the connection ends or does not come
// about, waits and connects again, until close() or a reason that will not pass by itself.
//
//   connect() -> connecting -> open -> (ended) -> waiting -> connecting -> ...
//                    \-> (failed) -> waiting -> ...            close(), or nothing left to try: ended
//
// Everything runs on the loop's thread. The handler is called by the loop, never from inside these functions.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/client_loop.h"
#include "session/client_options.h"
#include "session/endpoint.h"
#include "session/session.h"
#include "ws/deflate_options.h"

namespace fanfare::session {

class Client;

// What an attempt may change of the options.
struct ClientTarget {
  std::string url;
  std::vector<ws::OwnedHeader> headers;
  std::vector<std::string> subprotocols;
};

// Views are borrowed for the call.
struct ClientOpened {
  // Not the first time: what was subscribed to has to be subscribed to again.
  bool is_reconnect = false;
  std::string_view subprotocol;                  // empty: none was agreed on
  std::optional<ws::DeflateParameters> deflate;  // empty: no compression
};

// A handler may do with the client what it likes in any call, destroy it included.
class ClientHandler {
 public:
  virtual ~ClientHandler() = default;

  // Before every attempt. False: it waits for connect_to() or fail_attempt(), or for close().
  virtual bool on_attempt(Client&) { return true; }
  virtual void on_open(Client&, const ClientOpened&) {}
  virtual void on_message(Client&, const Message&) = 0;
  // After a read that ended within a message: so many bytes are kept of it. A message may be longer than the
  // handler wants to wait for.
  virtual void on_receiving(Client&, std::size_t /*bytes*/) {}
  // The outbox is empty again after send() said congested.
  virtual void on_drained(Client&) {}
  // The answer to a ping(), or, empty, to one of the watchdog's.
  virtual void on_pong(Client&, Bytes) {}
  // An open connection ended. `reconnect_in`: the wait before the next attempt; empty: there is none, this
  // was the last call.
  virtual void on_close(Client&, const CloseInfo&, std::optional<Duration> reconnect_in) = 0;
  // An attempt failed. As on_close; after close() without a connection, too (cancelled).
  virtual void on_failed(Client&, const ClientError&, std::optional<Duration> reconnect_in) = 0;
};

class Client {
 public:
  // `clients` and the handler outlive the client. `random`: for the jitter; null: the table's.
  Client(ClientLoop& clients, ClientOptions options, ClientHandler& handler, Random* random = nullptr);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  // Ends everything at once, without a Close frame; the handler is not called any more.
  ~Client();

  // Begins, also anew from ended; in waiting, tries again at once. Nothing in the other states.
  void connect();

  // The answers to on_attempt(); without an attempt that waits they do nothing. Not within on_attempt().
  void connect_to(ClientTarget target);
  // on_failed (cancelled) follows within the call, with the next attempt where one may follow.
  void fail_attempt(std::string reason, bool may_retry);

  enum class State : std::uint8_t { idle, connecting, open, closing, waiting, ended };
  State state() const;

  // `closed` unless state() is open: nothing is kept for the next connection.
  SendResult send(ws::Opcode opcode, Bytes payload);
  // As send(), but never compressed.
  SendResult send_uncompressed(ws::Opcode opcode, Bytes payload);
  SendResult send_text(std::string_view text) { return send(ws::Opcode::text, as_bytes(text)); }
  SendResult send_binary(Bytes payload) { return send(ws::Opcode::binary, payload); }
  // At most 125 bytes (RFC6455§5.5).
  SendResult ping(Bytes payload = {});
  // After something was queued: on_drained is called when all of it has been sent, congested or not.
  void expect_drained();
  // Bytes accepted and not yet given to the kernel.
  std::size_t buffered_bytes() const;

  // Between the two no message is handed out; the server is held back by TCP.
  void pause();
  void resume();

  // Ends the connection, or the attempts to make one, for good. False, and nothing happens, when a Close
  // frame cannot carry this: a code outside 1000-4999 or reserved, a reason of more than 123 bytes or not
  // UTF-8. 1005 sends no code.
  bool close(std::uint16_t code = 1000, std::string_view reason = {});

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace fanfare::session
