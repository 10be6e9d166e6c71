#pragma once
// HTTP/1.1 requests out of bytes that come in any split (RFC 9112), for the server's side. No I/O.
//
//   while (true) {
//     auto next = parser.next(input);                      // consumes from the front of input
//     if (!next) { answer next.error().status; close; }
//     if (!*next) break;                                   // more bytes needed
//     handle(**next);                                      // before the next call
//   }
//
// One per connection and one thread. Its owner frees it at the upgrade: it holds the last request's bytes.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/headers.h"
#include "http/status.h"

namespace fanfare::http {

// Every view is good until the next call of next(), `body` only while the input it came from stands, too.
struct Request {
  std::string_view method;
  std::string_view target;  // as sent
  // Of the target, as sent (not percent-decoded). Begins with '/', but for "*" (OPTIONS only) and for the
  // "host:port" of CONNECT.
  std::string_view path;
  std::string_view query;  // what follows the first '?', without it; may be empty
  int version_minor = 1;   // of HTTP/1.x: 0 or 1
  // RFC9112§3.2.2: where the target names the host ("http://host/path"), Host has that value, if it was sent.
  Headers headers;
  bool keep_alive = true;
  // Connection and Upgrade ask for another protocol. The input then begins right after this request; if
  // the upgrade is refused, next() goes on with HTTP.
  bool upgrade = false;
  Bytes body;
};

struct RequestLimits {
  std::size_t head_bytes_max = 16 * 1024;        // 431
  std::size_t header_count_max = 100;            // header lines: 431
  std::size_t target_bytes_max = 8 * 1024;       // 414
  std::size_t body_bytes_max = 8 * 1024 * 1024;  // 413, from Content-Length before the body is read
};

class RequestParser {
 public:
  explicit RequestParser(RequestLimits limits = {});
  RequestParser(const RequestParser&) = delete;  // its requests point into it
  RequestParser& operator=(const RequestParser&) = delete;

  // The next whole request, or empty: all of `input` was taken and more is needed. Errors are final.
  std::expected<std::optional<Request>, Error> next(Bytes& input);

  // True once for a request whose head has come with `Expect: 100-continue` and whose body has not: the
  // client waits for "HTTP/1.1 100 Continue" (RFC9110§10.1.1). To be asked after next() came back empty.
  bool take_continue();

  // The headers of the request whose head has been read, also if it was refused; empty before. Good until the
  // next call of next().
  Headers headers() const { return head_.headers; }
  // Whether bytes of an unfinished request are held: a connection that ends now ends in the middle.
  bool in_request() const;
  // Whether that request's head is whole and its body is not.
  bool in_body() const { return state_ == State::counted_body || state_ == State::chunked_body; }

 private:
  enum class State { head, counted_body, chunked_body, done, failed };

  std::expected<void, Error> start(std::size_t input_left);
  std::optional<Error> check_head() const;
  std::optional<Error> read_target();
  std::expected<bool, Error> read_body(Bytes& input);
  void reset();

  RequestLimits limits_;
  State state_ = State::head;
  Error error_{};
  HeadCollector collector_;
  Head head_;
  Request request_;
  std::uint64_t body_left_ = 0;
  ChunkedDecoder chunked_;
  std::string body_;
  bool continue_wanted_ = false;
};

}  // namespace fanfare::http
