#pragma once
// Responses whose body is sent in pieces: exports, progress, Server-Sent Events.
//
//   server.http("GET", "/events", [&](const Request&, Responder responder) {
//     BodyWriter body = std::move(responder).start({.content_type = "text/event-stream"});
//     feed.add([body = std::move(body)](std::string_view event) mutable {
//       return body.write("data: " + std::string(event) + "\n\n") != SendResult::closed;
//     });
//   });

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "fanfare/export.h"
#include "fanfare/session.h"

namespace fanfare {

class Responder;

namespace api {
class BodyChannel;
class ServerImpl;
}  // namespace api

// Write access to the body of one response. Any thread may call it, but calls must not overlap. Pieces are
// sent in call order: as chunks (RFC9112§7.1), or unframed when the length was declared.
//
// Destroying the writer before finish() closes the connection, so the client can detect the truncation. When
// the server stops, a body of unknown length is terminated normally. A body with a declared length may still
// be finished until the deadline.
class FANFARE_EXPORT BodyWriter {
 public:
  BodyWriter(BodyWriter&&) noexcept = default;
  BodyWriter& operator=(BodyWriter&& other) noexcept;
  BodyWriter(const BodyWriter&) = delete;
  BodyWriter& operator=(const BodyWriter&) = delete;
  ~BodyWriter();

  // Copies the piece. Results: `congested`, the client reads more slowly than this writes, so wait for
  // on_drain(); `closed`, nothing more is sent. It is closed when the client has disconnected, left
  // limits.response_outbox_bytes_max unread or sent a HEAD request. It is also closed when more was written
  // than the declared length.
  SendResult write(std::string_view text);
  SendResult write(Bytes bytes);
  // Sets the handler that runs once after each time write() returned congested, when everything has been
  // sent. It runs on a server thread, never during this call, and never after the body has ended.
  void on_drain(std::function<void()> handler);
  // Bytes queued here or on the socket.
  std::size_t buffered_amount() const;
  bool is_open() const;
  // Completes the body. The connection continues with its next request.
  void finish() &&;

 private:
  friend class api::ServerImpl;
  friend class Responder;
  explicit BodyWriter(std::shared_ptr<api::BodyChannel> channel) : channel_(std::move(channel)) {}
  void end(bool is_whole);

  std::shared_ptr<api::BodyChannel> channel_;  // null after finish() or a move
};

}  // namespace fanfare
