#pragma once
// Parses HTTP/1.1 requests from bytes split in any way (RFC 9112), for the server side. No I/O.
//
//   while (true) {
//     auto next = parser.next(input);                      // consumes from the front of input
//     if (!next) { answer next.error().status; close; }
//     if (!*next) break;                                   // more bytes needed
//     handle(**next);                                      // before the next call
//   }
//
// A body can also be taken in pieces: next_head(), then next_piece() until its last one.
//
// One per connection and one thread. Its owner frees it at the upgrade, since it holds the last request's
// bytes.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/growing_bytes.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/headers.h"
#include "http/status.h"

namespace fanfare::http {

// Every view is valid until the next call of next(). `body` also requires that the input it came from still
// exists.
struct Request {
  std::string_view method;
  std::string_view target;  // as sent
  // The target's path as sent (not percent-decoded). It begins with '/', except "*" (OPTIONS only) and the
  // "host:port" of CONNECT.
  std::string_view path;
  std::string_view query;  // the part after the first '?'; may be empty
  int version_minor = 1;   // of HTTP/1.x: 0 or 1
  // RFC9112§3.2.2: if the target names the host ("http://host/path"), Host has that value, if it was sent.
  Headers headers;
  bool keep_alive = true;
  // Connection and Upgrade request another protocol. The input then begins directly after this request. If
  // the upgrade is rejected, next() continues with HTTP.
  bool upgrade = false;
  Bytes body;
};

struct RequestLimits {
  std::size_t head_bytes_max = 16 * 1024;          // 431
  std::size_t header_count_max = 100;              // header lines: 431
  std::size_t target_bytes_max = 8 * 1024;         // 414
  std::uint64_t body_bytes_max = 8 * 1024 * 1024;  // 413, from Content-Length before the body is read
};

class RequestParser {
 public:
  explicit RequestParser(RequestLimits limits = {});
  RequestParser(const RequestParser&) = delete;  // its requests point into it
  RequestParser& operator=(const RequestParser&) = delete;

  // Returns the next complete request. Empty: all of `input` was consumed, and more is needed. Errors are
  // final.
  std::expected<std::optional<Request>, Error> next(Bytes& input);

  // The two halves of next(), for an owner that decides between them how the body is taken. A request without
  // a body is complete after next_head(); otherwise in_body() is true.
  std::expected<std::optional<Request>, Error> next_head(Bytes& input);
  std::expected<std::optional<Request>, Error> next_body(Bytes& input);
  // Replaces RequestLimits::body_bytes_max for the body that follows: between next_head() and the first piece.
  // Error: 413, from Content-Length.
  std::expected<void, Error> limit_body(std::uint64_t bytes_max);
  struct Piece {
    Bytes bytes;        // valid until the next call; the memory of a Content-Length body is the input's
    bool last = false;  // may come without bytes
  };
  // The bytes of the body at the front of `input`. No bytes and not the last: more is needed.
  std::expected<Piece, Error> next_piece(Bytes& input);
  // How much of the body is still to come; empty for a chunked one, whose length is unknown.
  std::optional<std::uint64_t> body_left() const {
    return state_ == State::chunked_body ? std::nullopt : std::optional(body_left_);
  }

  // Hands over the memory of the body that next() has just returned, so that it outlives the next call. Empty: the body is a
  // view of the input.
  GrowingBytes take_body(Bytes body) {
    return body.data() == body_.bytes().data() ? std::move(body_) : GrowingBytes();
  }

  // True once for a request whose head has arrived with `Expect: 100-continue` and whose body has not. The
  // client is waiting for "HTTP/1.1 100 Continue" (RFC9110§10.1.1). Call it after next() returned empty.
  bool take_continue();

  // The headers of the request whose head was read, even if it was rejected; empty before. Valid until the
  // next call of next().
  Headers headers() const { return head_.headers; }
  // Whether bytes of an incomplete request are held; a connection that ends now ends in the middle of a
  // request.
  bool in_request() const;
  // Memory held for the part of a whole body that has come.
  std::size_t body_bytes_held() const { return in_body() ? body_.capacity() : 0; }
  // Frees the part of the body that has come. From now on next() reports the error, which is returned.
  Error give_up(Error error);
  // Whether that request's head is complete and its body is not.
  bool in_body() const { return state_ == State::counted_body || state_ == State::chunked_body; }

 private:
  enum class State { head, counted_body, chunked_body, done, failed };

  std::expected<void, Error> start(std::size_t input_left);
  std::optional<Error> check_head() const;
  std::optional<Error> read_target();
  std::expected<bool, Error> read_body(Bytes& input);
  std::unexpected<Error> fail(Error error);
  void reset();

  RequestLimits limits_;
  State state_ = State::head;
  Error error_{};
  HeadCollector collector_;
  Head head_;
  Request request_;
  std::uint64_t body_left_ = 0;
  ChunkedDecoder chunked_;
  GrowingBytes body_;
  bool continue_wanted_ = false;
};

}  // namespace fanfare::http
