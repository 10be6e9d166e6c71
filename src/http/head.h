#pragma once
// The head of a message, from the start line to the empty line: collected byte by byte within limits, then
// taken apart at once by llhttp. For the parsers in this room; nobody else includes it.
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

// Collects the bytes of one head. Errors do not depend on how the input was split: each belongs to an offset.
class HeadCollector {
 public:
  struct Limits {
    std::size_t head_bytes_max;
    std::size_t start_line_bytes_max;
  };

  explicit HeadCollector(Limits limits) : limits_(limits) {}

  // Takes bytes from the front of `input`; true when the head is complete, and then `input` begins after it.
  // Errors: 431 head too large, 414 start line too long, 400 a line feed without its carriage return, or a
  // first byte that no start line has.
  std::expected<bool, Error> collect(Bytes& input);
  const std::string& bytes() const { return bytes_; }
  void clear();

 private:
  Limits limits_;
  std::string bytes_;
  bool in_start_line_ = true;
  bool skipped_empty_line_ = false;
};

// Views point into the bytes it was parsed from.
struct Head {
  std::string_view method;  // requests
  std::string_view target;  // requests
  int status = 0;           // responses
  std::string_view phrase;  // responses
  int version_minor = 1;    // of HTTP/1.x
  std::vector<HeaderField> headers;
};

// `bytes` is a whole head. Errors: 400, 501 for an unknown method, 505; for responses always 502.
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
