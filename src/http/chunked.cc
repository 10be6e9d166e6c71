#include "http/chunked.h"

#include <algorithm>
#include <string_view>

#include "base/hex.h"
#include "http/headers.h"

namespace fanfare::http {
namespace {

constexpr std::size_t kSizeDigitsMax = 15;  // always fits into 64 bits without overflow

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

bool is_token_byte(char c) {
  return is_token(std::string_view(&c, 1));
}

// RFC9110§5.5: a byte of a field value, and (RFC9110§5.6.4) of a quoted string.
bool is_text_byte(char c) {
  return is_header_value(std::string_view(&c, 1));
}

std::unexpected<Error> malformed() {
  return std::unexpected(Error{400, "malformed chunk"});
}

std::unexpected<Error> malformed_trailer() {
  return std::unexpected(Error{400, "malformed trailer"});
}

}  // namespace

std::expected<bool, Error> ChunkedDecoder::decode(Bytes& input, GrowingBytes& body) {
  while (!input.empty()) {
    if (state_ == State::data) {
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, input.size()));
      body.append(input.first(taken));
      input = input.subspan(taken);
      chunk_left_ -= taken;
      body_bytes_ += taken;
      if (chunk_left_ == 0) state_ = State::data_cr;
      continue;
    }
    const char byte = static_cast<char>(input.front());
    input = input.subspan(1);
    const auto complete = on_line_byte(byte);
    if (!complete || *complete) return complete;
  }
  return false;
}

// Processes one byte outside the data. True: it was the last byte of the body.
std::expected<bool, Error> ChunkedDecoder::on_line_byte(char byte) {
  switch (state_) {
    case State::size:
      return on_size_byte(byte);
    case State::before_semicolon:
    case State::before_name:
    case State::name:
    case State::after_name:
    case State::before_value:
    case State::value:
    case State::quoted:
    case State::quoted_pair:
    case State::after_value:
      return on_extension_byte(byte);
    case State::size_lf:
      if (byte != '\n') return malformed();
      return end_size_line();
    case State::data_cr:
      if (byte != '\r') return malformed();
      state_ = State::data_lf;
      return false;
    case State::data_lf:
      if (byte != '\n') return malformed();
      state_ = State::size;
      return false;
    case State::trailer_start:
    case State::trailer_name:
    case State::trailer_value:
      return on_trailer_byte(byte);
    case State::trailer_lf:
      if (byte != '\n') return malformed_trailer();
      state_ = State::trailer_start;
      return false;
    case State::end_lf:
      if (byte != '\n') return malformed();
      return true;
    case State::data:
      break;  // decode() takes data in blocks
  }
  return malformed();
}

std::expected<bool, Error> ChunkedDecoder::on_size_byte(char byte) {
  if (const int digit = hex_digit(byte); digit >= 0) {
    // RFC9112§7.1: any number of zeros may lead.
    const bool leads = digit == 0 && digits_ == 1 && chunk_left_ == 0;
    if (leads && ++line_bytes_ > limits_.line_bytes_max) {
      return std::unexpected(Error{400, "chunk size too long"});
    }
    if (!leads && ++digits_ > kSizeDigitsMax) return std::unexpected(Error{413, "body too large"});
    chunk_left_ = chunk_left_ * 16 + static_cast<std::uint64_t>(digit);
    return false;
  }
  if (digits_ == 0) return malformed();
  if (byte == '\r') {
    state_ = State::size_lf;
    return false;
  }
  state_ = State::before_semicolon;
  return on_extension_byte(byte);
}

std::expected<bool, Error> ChunkedDecoder::on_extension_byte(char byte) {
  const auto next = after_extension_byte(byte);
  if (!next) return malformed();
  if (byte != '\r' && ++line_bytes_ > limits_.line_bytes_max) {
    return std::unexpected(Error{400, "chunk extension too long"});
  }
  state_ = *next;
  return false;
}

// RFC9112§7.1.1. White space is allowed around ";" and "=", but not at the end of the line.
std::optional<ChunkedDecoder::State> ChunkedDecoder::after_extension_byte(char byte) const {
  const auto only_if = [](bool fits, State next) { return fits ? std::optional(next) : std::nullopt; };
  switch (state_) {
    case State::before_semicolon:
      if (is_space(byte)) return State::before_semicolon;
      return only_if(byte == ';', State::before_name);
    case State::before_name:
      if (is_space(byte)) return State::before_name;
      return only_if(is_token_byte(byte), State::name);
    case State::name:
      if (is_token_byte(byte)) return State::name;
      if (byte == '\r') return State::size_lf;
      [[fallthrough]];
    case State::after_name:
      if (is_space(byte)) return State::after_name;
      if (byte == ';') return State::before_name;
      return only_if(byte == '=', State::before_value);
    case State::before_value:
      if (is_space(byte)) return State::before_value;
      if (byte == '"') return State::quoted;
      return only_if(is_token_byte(byte), State::value);
    case State::value:
      if (is_token_byte(byte)) return State::value;
      [[fallthrough]];
    case State::after_value:
      if (byte == '\r') return State::size_lf;
      if (is_space(byte)) return State::before_semicolon;
      return only_if(byte == ';', State::before_name);
    case State::quoted:
      if (byte == '"') return State::after_value;
      if (byte == '\\') return State::quoted_pair;
      return only_if(is_text_byte(byte), State::quoted);
    case State::quoted_pair:
      return only_if(is_text_byte(byte), State::quoted);
    case State::size:
    case State::size_lf:
    case State::data:
    case State::data_cr:
    case State::data_lf:
    case State::trailer_start:
    case State::trailer_name:
    case State::trailer_value:
    case State::trailer_lf:
    case State::end_lf:
      break;  // not within extensions
  }
  return std::nullopt;
}

std::expected<bool, Error> ChunkedDecoder::end_size_line() {
  if (chunk_left_ > limits_.body_bytes_max - std::min(body_bytes_, limits_.body_bytes_max)) {
    return std::unexpected(Error{413, "body too large"});
  }
  digits_ = 0;
  line_bytes_ = 0;
  state_ = chunk_left_ == 0 ? State::trailer_start : State::data;
  return false;
}

// RFC9112§5, §7.1.2: a trailer is a header line. No white space before the colon, and (RFC9112§5.2) no
// folding.
std::expected<bool, Error> ChunkedDecoder::on_trailer_byte(char byte) {
  if (byte == '\r' && state_ != State::trailer_name) {
    state_ = state_ == State::trailer_start ? State::end_lf : State::trailer_lf;
    return false;
  }
  if (++line_bytes_ > limits_.line_bytes_max) return std::unexpected(Error{400, "trailers too long"});
  if (state_ == State::trailer_value) {
    if (!is_text_byte(byte)) return malformed_trailer();
    return false;
  }
  if (state_ == State::trailer_name && byte == ':') {
    state_ = State::trailer_value;
    return false;
  }
  if (!is_token_byte(byte)) return malformed_trailer();
  state_ = State::trailer_name;
  return false;
}

}  // namespace fanfare::http
