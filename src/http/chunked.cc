#include "http/chunked.h"

#include <algorithm>

namespace fanfare::http {
namespace {

constexpr std::size_t kSizeDigitsMax = 15;  // what fits into 64 bits with no thought of overflow

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_text_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
}

std::unexpected<Error> malformed() {
  return std::unexpected(Error{400, "malformed chunk"});
}

}  // namespace

std::expected<bool, Error> ChunkedDecoder::decode(Bytes& input, std::string& body) {
  while (!input.empty()) {
    if (state_ == State::data) {
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, input.size()));
      body.append(as_text(input.first(taken)));
      input = input.subspan(taken);
      chunk_left_ -= taken;
      if (chunk_left_ == 0) state_ = State::data_cr;
      continue;
    }
    const char byte = static_cast<char>(input.front());
    input = input.subspan(1);
    const auto complete = on_line_byte(byte, body.size());
    if (!complete || *complete) return complete;
  }
  return false;
}

// One byte outside of the data. True: it was the last of the body.
std::expected<bool, Error> ChunkedDecoder::on_line_byte(char byte, std::size_t body_bytes) {
  switch (state_) {
    case State::size: {
      const int digit = hex_digit(byte);
      if (digit >= 0) {
        if (++digits_ > kSizeDigitsMax) return std::unexpected(Error{413, "body too large"});
        chunk_left_ = chunk_left_ * 16 + static_cast<std::uint64_t>(digit);
        return false;
      }
      if (digits_ == 0) return malformed();
      if (byte == '\r') {
        state_ = State::size_lf;
      } else if (byte == ';') {
        state_ = State::extension;
      } else {
        return malformed();
      }
      return false;
    }
    case State::extension:
      if (byte == '\r') {
        state_ = State::size_lf;
        return false;
      }
      if (!is_text_byte(byte)) return malformed();
      if (++line_bytes_ > limits_.line_bytes_max)
        return std::unexpected(Error{400, "chunk extension too long"});
      return false;
    case State::size_lf:
      if (byte != '\n') return malformed();
      if (chunk_left_ > limits_.body_bytes_max - std::min(body_bytes, limits_.body_bytes_max)) {
        return std::unexpected(Error{413, "body too large"});
      }
      digits_ = 0;
      line_bytes_ = 0;
      state_ = chunk_left_ == 0 ? State::trailer : State::data;
      return false;
    case State::data_cr:
      if (byte != '\r') return malformed();
      state_ = State::data_lf;
      return false;
    case State::data_lf:
      if (byte != '\n') return malformed();
      state_ = State::size;
      return false;
    case State::trailer:
      if (byte == '\r') {
        state_ = State::trailer_lf;
        return false;
      }
      if (!is_text_byte(byte)) return malformed();
      if (++line_bytes_ > limits_.line_bytes_max) return std::unexpected(Error{400, "trailers too long"});
      trailer_line_empty_ = false;
      return false;
    case State::trailer_lf:
      if (byte != '\n') return malformed();
      if (trailer_line_empty_) return true;
      trailer_line_empty_ = true;
      state_ = State::trailer;
      return false;
    case State::data:
      break;  // decode() takes data by the block
  }
  return malformed();
}

}  // namespace fanfare::http
