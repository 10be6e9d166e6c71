#pragma once
// The chunked transfer coding, RFC9112§7.1. For the parsers in src/http.
//
//   *( size-in-hex [ extensions ] CRLF  data CRLF )  0 [ extensions ] CRLF  *( trailer CRLF )  CRLF
//
//   extensions   *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
//   trailer      name ":" value: a header line, which is never folded
//
// Extensions and trailers are checked and then discarded. Only CRLF ends a line.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "base/bytes.h"
#include "base/growing_bytes.h"
#include "http/status.h"

namespace fanfare::http {

class ChunkedDecoder {
 public:
  struct Limits {
    std::uint64_t body_bytes_max;  // 413 beyond it, decided from a chunk's size before its data is read
    // 400 beyond it: for the extensions of one chunk, and for all trailer lines together.
    std::size_t line_bytes_max = 1024;
  };

  explicit ChunkedDecoder(Limits limits) : limits_(limits) {}

  // Before the first decode().
  void limit_body(std::uint64_t bytes_max) { limits_.body_bytes_max = bytes_max; }

  // Consumes bytes from the front of `input` and appends data to `body`, which the caller may empty between
  // calls. True: the body is complete, and `input` begins after it.
  std::expected<bool, Error> decode(Bytes& input, GrowingBytes& body);

 private:
  enum class State {
    size,
    // RFC9112§7.1.1: within a chunk's extensions. For transitions see after_extension_byte().
    before_semicolon,
    before_name,
    name,
    after_name,
    before_value,
    value,
    quoted,
    quoted_pair,
    after_value,
    size_lf,
    data,
    data_cr,
    data_lf,
    // RFC9112§7.1.2: within the trailer section.
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
  };

  std::expected<bool, Error> on_line_byte(char byte);
  std::expected<bool, Error> on_size_byte(char byte);
  std::expected<bool, Error> on_extension_byte(char byte);
  std::expected<bool, Error> on_trailer_byte(char byte);
  std::expected<bool, Error> end_size_line();
  // The state within the extensions after this byte; size_lf at their end. Empty: the byte is invalid here.
  std::optional<State> after_extension_byte(char byte) const;

  Limits limits_;
  State state_ = State::size;
  std::uint64_t chunk_left_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::size_t digits_ = 0;
  std::size_t line_bytes_ = 0;
};

}  // namespace fanfare::http
