#pragma once
// Answers whose body comes in pieces: exports, progress, Server-Sent Events.
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
class Core;
}  // namespace api

// The right to write the body of one answer. Any thread, one call after the other. Pieces are sent in the
// order of the calls, as chunks (RFC9112§7.1) or, with a length, as they are.
//
// Destroyed before finish(), it closes the connection, so that the client can tell that something is missing.
// While the server stops, a body of unknown length ends in good order; one with a length may still be
// finished, until the deadline.
class FANFARE_EXPORT BodyWriter {
 public:
  BodyWriter(BodyWriter&&) noexcept = default;
  BodyWriter& operator=(BodyWriter&& other) noexcept;
  BodyWriter(const BodyWriter&) = delete;
  BodyWriter& operator=(const BodyWriter&) = delete;
  ~BodyWriter();

  // Copies the piece. congested: the client reads slower than this writes: better wait for on_drain(). closed:
  // nothing is sent any more: the client has gone, or has left limits.response_outbox_bytes_max unread, or it
  // asked with HEAD, or more was written than the length.
  SendResult write(std::string_view text);
  SendResult write(Bytes bytes);
  // Calls the handler, on a thread of the server, once after each time that write() said congested, when all
  // of it has been sent. Not during this call; not after the end.
  void on_drain(std::function<void()> handler);
  // Bytes that wait here or on the socket.
  std::size_t buffered_amount() const;
  bool is_open() const;
  // The body is whole; the connection goes on with its next request.
  void finish() &&;

 private:
  friend class api::Core;
  friend class Responder;
  explicit BodyWriter(std::shared_ptr<api::BodyChannel> channel) : channel_(std::move(channel)) {}
  void end(bool is_whole);

  std::shared_ptr<api::BodyChannel> channel_;  // null: used
};

}  // namespace fanfare
