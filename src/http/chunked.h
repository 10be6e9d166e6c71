#pragma once
// The chunked transfer coding, RFC9112§7.1. For the parsers in this room.
//
//   *( size-in-hex [ ;extension ] CRLF  data CRLF )  0 [ ;extension ] CRLF  *( trailer CRLF )  CRLF
//
// Extensions and trailers are read over. Stricter than most: CRLF and nothing else ends a line.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

#include "base/bytes.h"
#include "http/status.h"

namespace fanfare::http {

class ChunkedDecoder {
 public:
  struct Limits {
    std::size_t body_bytes_max;  // 413 past it, decided from a chunk's size before its data is read
    // 400 past it: one chunk's size line, and all trailer lines together.
    std::size_t line_bytes_max = 1024;
  };

  explicit ChunkedDecoder(Limits limits) : limits_(limits) {}

  // Takes bytes from the front of `input`, appends data to `body`; true when the body is complete, and then
  // `input` begins after it.
  std::expected<bool, Error> decode(Bytes& input, std::string& body);

 private:
  enum class State { size, extension, size_lf, data, data_cr, data_lf, trailer, trailer_lf };

  std::expected<bool, Error> on_line_byte(char byte, std::size_t body_bytes);

  Limits limits_;
  State state_ = State::size;
  std::uint64_t chunk_left_ = 0;
  std::size_t digits_ = 0;
  std::size_t line_bytes_ = 0;
  bool trailer_line_empty_ = true;
};

}  // namespace fanfare::http
