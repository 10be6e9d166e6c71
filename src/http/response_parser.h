#pragma once
// Parses the response to a client's handshake or to a proxy's CONNECT (RFC 9112). The bytes may be split in
// any way. No I/O. Not a general HTTP client: a body that ends with the connection is not read.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/growing_bytes.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/headers.h"
#include "http/status.h"

namespace fanfare::http {

// Every view is valid until the next call of next().
struct Response {
  int status = 0;
  std::string_view phrase;
  int version_minor = 1;
  Headers headers;
  bool keep_alive = true;
  Bytes body;  // at most body_bytes_max: the explanation of a rejection
};

struct ResponseLimits {
  std::size_t head_bytes_max = 16 * 1024;
  std::size_t header_count_max = 100;
  std::size_t body_bytes_max = 64 * 1024;
};

class ResponseParser {
 public:
  // `connect`: the request was CONNECT, whose 2xx response never has a body (RFC9112§6.3).
  explicit ResponseParser(ResponseLimits limits = {}, bool connect = false);
  ResponseParser(const ResponseParser&) = delete;  // its responses point into it
  ResponseParser& operator=(const ResponseParser&) = delete;

  // Returns the response. Empty: all of `input` was consumed, and more is needed. Consumes nothing beyond the
  // end: after 101, or 2xx to CONNECT, `input` begins with the other protocol's first byte. Other 1xx are
  // skipped. Errors are final and all have status 502: not HTTP, or beyond a limit. The reason says which.
  std::expected<std::optional<Response>, Error> next(Bytes& input);

  // The status as soon as the head is complete, even if the body never arrives or is too large; 0 before.
  int status() const { return status_; }

 private:
  enum class State { head, counted_body, chunked_body, done, failed };

  std::expected<bool, Error> read_head(Bytes& input);
  std::expected<bool, Error> read_body(Bytes& input);

  ResponseLimits limits_;
  bool connect_;
  State state_ = State::head;
  Error error_{};
  int status_ = 0;
  HeadCollector collector_;
  Head head_;
  std::uint64_t body_left_ = 0;
  ChunkedDecoder chunked_;
  GrowingBytes body_;
};

}  // namespace fanfare::http
