#pragma once
// One logical connection to a server. When the connection ends or cannot be established, the client waits and
// reconnects. It stops on close(), or for a reason that a retry cannot fix.
//
//   connect() -> connecting -> open -> (ended) -> waiting -> connecting -> ...
//                    \-> (failed) -> waiting -> ...            close(), or nothing left to try: ended
//
// Everything runs on the loop's thread. The loop calls the handler, never within a call of these functions.

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
  // Not the first connection: repeat your subscriptions.
  bool is_reconnect = false;
  std::string_view subprotocol;                  // empty: none was negotiated
  std::optional<ws::DeflateParameters> deflate;  // empty: no compression
};

// A handler may use the client freely in any call, and may even destroy it.
class ClientHandler {
 public:
  virtual ~ClientHandler() = default;

  // Before every attempt. False: it waits for connect_to() or fail_attempt(), or for close().
  virtual bool on_attempt(Client&) { return true; }
  virtual void on_open(Client&, const ClientOpened&) {}
  virtual void on_message(Client&, const Message&) = 0;
  // Called after a read that ended within a message: `bytes` bytes of it are kept. A message may be longer
  // than the handler is willing to wait for.
  virtual void on_receiving(Client&, std::size_t /*bytes*/) {}
  // The outbox is empty again after send() returned congested.
  virtual void on_drained(Client&) {}
  // The server's ping, already answered.
  virtual void on_ping(Client&) {}
  // The reply to ping(), or, with an empty payload, to a heartbeat ping.
  virtual void on_pong(Client&, Bytes) {}
  // An open connection ended. `reconnect_in`: the delay before the next attempt; empty: no further attempt,
  // and this was the last call.
  virtual void on_close(Client&, const CloseInfo&, std::optional<Duration> reconnect_in) = 0;
  // An attempt failed; as on_close. Also called after close() without a connection (cancelled).
  virtual void on_failed(Client&, const ClientError&, std::optional<Duration> reconnect_in) = 0;
};

class Client {
 public:
  // `clients` and the handler must outlive the client. `random`: for the jitter; null: the table's.
  Client(ClientLoop& clients, ClientOptions options, ClientHandler& handler, Random* random = nullptr);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  // Ends everything immediately, without a Close frame; the handler is not called any more.
  ~Client();

  // Begins to connect, also after the client has ended; in `waiting`, retries immediately. No effect in other
  // states.
  void connect();

  // The answers to on_attempt(); without an attempt that waits they do nothing. Not within on_attempt().
  void connect_to(ClientTarget target);
  // on_failed (cancelled) follows within the call, with the next attempt where one may follow.
  void fail_attempt(std::string reason, bool may_retry);

  enum class State : std::uint8_t { idle, connecting, open, closing, waiting, ended };
  State state() const;

  // Returns `closed` unless state() is open: nothing is kept for the next connection.
  SendResult send(ws::Opcode opcode, Bytes payload);
  // As send(), but never compressed.
  SendResult send_uncompressed(ws::Opcode opcode, Bytes payload);
  SendResult send_text(std::string_view text) { return send(ws::Opcode::text, as_bytes(text)); }
  SendResult send_binary(Bytes payload) { return send(ws::Opcode::binary, payload); }
  // At most 125 bytes (RFC6455§5.5).
  SendResult ping(Bytes payload = {});
  // Call it after queueing data: on_drained is called when all of it has been sent, congested or not.
  void expect_drained();
  // Bytes accepted and not yet passed to the kernel.
  std::size_t buffered_bytes() const;

  // Between pause() and resume() no message is delivered; TCP flow control holds the server back.
  void pause();
  void resume();

  // Permanently ends the connection or the attempts to make one. Returns false, without effect, if a Close
  // frame cannot carry the arguments. Invalid are a code outside 1000-4999 or reserved, and a reason of more
  // than 123 bytes or not UTF-8. 1005 sends no code.
  bool close(std::uint16_t code = 1000, std::string_view reason = {});

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace fanfare::session
