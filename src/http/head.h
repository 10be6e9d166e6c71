#pragma once
// The head of a message, from the start line to the empty line. It is collected byte by byte within limits,
// then parsed in one step by llhttp. Only for the parsers in src/http.
//
//   start line CRLF  *( name ":" value CRLF )  CRLF

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "http/headers.h"
#include "http/status.h"

namespace fanfare::http {

// Collects the bytes of one head. Each error occurs at a fixed offset, so errors do not depend on how the
// input was split.
class HeadCollector {
 public:
  struct Limits {
    std::size_t head_bytes_max;
    std::size_t start_line_bytes_max;
  };

  explicit HeadCollector(Limits limits) : limits_(limits) {}

  // Consumes bytes from the front of `input`. True: the head is complete, and `input` begins after it.
  // Errors: 431 head too large, 414 start line too long, 400 line feed without carriage return, or 400 first
  // byte that cannot begin a start line.
  std::expected<bool, Error> collect(Bytes& input);
  const std::string& bytes() const { return bytes_; }
  void clear();

 private:
  Limits limits_;
  std::string bytes_;
  bool in_start_line_ = true;
  bool skipped_empty_line_ = false;
};

// The views point into the parsed bytes.
struct Head {
  std::string_view method;  // requests
  std::string_view target;  // requests
  int status = 0;           // responses
  std::string_view phrase;  // responses
  int version_minor = 1;    // of HTTP/1.x
  std::vector<HeaderField> headers;
};

// `bytes` is a complete head. Errors: 400, 501 for an unknown method, 505; for responses always 502.
std::expected<void, Error> parse_request_head(std::string_view bytes, Head& head);
std::expected<void, Error> parse_response_head(std::string_view bytes, Head& head);

// How the body of a message is delimited. RFC9112§6.
struct Framing {
  bool chunked = false;
  std::optional<std::uint64_t> content_length;
};
std::expected<Framing, Error> find_framing(const Head& head);

// RFC9112§9.3.
bool wants_keep_alive(const Head& head);

}  // namespace fanfare::http
