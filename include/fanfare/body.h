#pragma once
// Bodies in pieces: responses such as exports, progress and Server-Sent Events (BodyWriter), and requests such
// as uploads (BodyReader).
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
#include "fanfare/unique_function.h"

namespace fanfare {

class Responder;

namespace api {
class BodyChannel;
class RequestBodyChannel;
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

// A part of a request's body. The view is borrowed for the call.
struct BodyPiece {
  Bytes bytes;
  bool last = false;  // the body is complete with these bytes, which may be empty
  // The rest will not come: the client has disconnected or was too slow, the body exceeded its limit (413) or
  // is malformed (400), or the request was answered. There are no bytes.
  bool failed = false;
};

// The body of one request, at the handler's own pace:
//
//   void store(std::shared_ptr<Upload> upload) {
//     upload->body.read([upload](const BodyPiece& piece) {
//       if (piece.failed) return;
//       upload->file.write(piece.bytes);
//       if (piece.last) return std::move(upload->responder).send({.status = 201});
//       store(upload);
//     });
//   }
//
// Between two calls of read() nothing is read, and TCP flow control holds the client back: so the memory of
// an upload does not depend on its size. Any thread may call it, but calls must not overlap.
class FANFARE_EXPORT BodyReader {
 public:
  BodyReader(BodyReader&&) noexcept = default;
  BodyReader& operator=(BodyReader&&) noexcept = default;
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;
  ~BodyReader() = default;

  // Calls the handler once, with the next piece, on the thread of the request's loop and never during this
  // call. A handler that still waits is replaced. If the server ends meanwhile, it is destroyed uncalled. A
  // client that waits for "100 Continue" gets it at the first call (RFC9110§10.1.1).
  void read(UniqueFunction<void(const BodyPiece&)> handler);

 private:
  friend class api::RequestBodyChannel;
  explicit BodyReader(std::shared_ptr<api::RequestBodyChannel> channel) : channel_(std::move(channel)) {}

  std::shared_ptr<api::RequestBodyChannel> channel_;
};

// For requests whose body is taken in pieces.
struct BodyOptions {
  std::uint64_t bytes_max = 0;  // beyond it: 413; 0: limits.request_body_bytes_max
};

}  // namespace fanfare
