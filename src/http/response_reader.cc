#include "http/response_reader.h"

#include <algorithm>

namespace fanfare::http {
namespace {

// A chunk's data is passed on in pieces of at most this size, so that it is not collected first.
constexpr std::size_t kPieceBytesMax = std::size_t{64} << 10;

}  // namespace

ResponseReader::ResponseReader(ResponseReaderLimits limits)
    : limits_(limits),
      collector_({.head_bytes_max = limits.head_bytes_max, .start_line_bytes_max = limits.head_bytes_max}),
      chunked_({.body_bytes_max = limits.body_bytes_max}) {}

void ResponseReader::begin() {
  if (state_ == State::failed) return;
  state_ = State::head;
  has_begun_ = false;
  keeps_alive_ = false;
  status_ = 0;
  content_length_.reset();
  collector_.clear();
  head_.headers.clear();
}

std::expected<ResponseReader::Step, Error> ResponseReader::next(Bytes& input, Bytes& data) {
  const auto fail = [this](Error error) {
    state_ = State::failed;
    error_ = {error.status == 413 ? 413 : 502, error.reason};
    return std::unexpected(error_);
  };
  if (!input.empty()) has_begun_ = true;
  switch (state_) {
    case State::head: {
      const auto whole = read_head(input);
      if (!whole) return fail(whole.error());
      if (!*whole) return Step::more;
      if (const auto framed = frame_body(); !framed) return fail(framed.error());
      return Step::head;
    }
    case State::counted:
    case State::until_close: {
      if (state_ == State::counted && body_left_ == 0) break;
      if (input.empty()) return Step::more;
      if (body_left_ == 0) return fail({413, "body too large"});
      data = input.first(static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, input.size())));
      input = input.subspan(data.size());
      body_left_ -= data.size();
      return Step::body;
    }
    case State::chunked: {
      unchunked_.clear();
      Bytes piece = input.first(std::min(kPieceBytesMax, input.size()));
      const std::size_t offered = piece.size();
      const auto whole = chunked_.decode(piece, unchunked_);
      input = input.subspan(offered - piece.size());
      data = unchunked_.bytes();
      if (!whole) {
        // What came before the error is passed on first, as if it had come alone.
        const auto failed = fail(whole.error());
        return data.empty() ? std::expected<Step, Error>(failed) : Step::body;
      }
      if (*whole) state_ = State::last_piece;
      if (!data.empty()) return Step::body;
      if (!*whole) return input.empty() ? std::expected<Step, Error>(Step::more) : next(input, data);
      break;
    }
    case State::last_piece:
      break;
    case State::done:
      return fail({502, "a response that was not requested"});
    case State::failed:
      return std::unexpected(error_);
  }
  state_ = State::done;
  unchunked_.release();
  return Step::done;
}

std::expected<bool, Error> ResponseReader::read_head(Bytes& input) {
  while (true) {
    const auto whole = collector_.collect(input);
    if (!whole || !*whole) return whole;
    head_.headers.clear();
    if (const auto parsed = parse_response_head(collector_.bytes(), head_); !parsed) {
      return std::unexpected(parsed.error());
    }
    if (head_.headers.size() > limits_.header_count_max)
      return std::unexpected(Error{502, "too many headers"});
    // RFC9110§15.2.2: a server switches protocols only if it was asked to.
    if (head_.status == 101)
      return std::unexpected(Error{502, "a switch of protocols that was not requested"});
    // RFC9110§15.2: interim responses are not the final response.
    if (head_.status >= 200) return true;
    collector_.clear();
  }
}

// RFC9112§6.3.
std::expected<void, Error> ResponseReader::frame_body() {
  status_ = head_.status;
  keeps_alive_ = wants_keep_alive(head_);
  body_left_ = 0;
  state_ = State::counted;
  if (status_ == 204 || status_ == 304) return {};
  const auto framing = find_framing(head_);
  if (!framing) return std::unexpected(Error{502, framing.error().reason});
  content_length_ = framing->content_length;
  if (framing->chunked) {
    state_ = State::chunked;
    chunked_ = ChunkedDecoder({.body_bytes_max = limits_.body_bytes_max});
  } else if (content_length_) {
    if (*content_length_ > limits_.body_bytes_max) return std::unexpected(Error{413, "body too large"});
    body_left_ = *content_length_;
  } else {
    state_ = State::until_close;
    keeps_alive_ = false;
    body_left_ = limits_.body_bytes_max;
  }
  return {};
}

bool ResponseReader::end() {
  if (state_ != State::until_close) return false;
  state_ = State::done;
  return true;
}

}  // namespace fanfare::http
