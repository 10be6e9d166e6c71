#include "http/response_parser.h"

#include <algorithm>

namespace fanfare::http {
namespace {

// RFC9112§6.3: these have no body, whatever their headers say.
bool has_no_body(int status, bool connect) {
  return status < 200 || status == 204 || status == 304 || (connect && status < 300);
}

}  // namespace

ResponseParser::ResponseParser(ResponseLimits limits, bool connect)
    : limits_(limits),
      connect_(connect),
      collector_({.head_bytes_max = limits.head_bytes_max, .start_line_bytes_max = limits.head_bytes_max}),
      chunked_({.body_bytes_max = limits.body_bytes_max}) {}

std::expected<std::optional<Response>, Error> ResponseParser::next(Bytes& input) {
  if (state_ == State::failed) return std::unexpected(error_);
  const auto fail = [this](Error error) {
    state_ = State::failed;
    error_ = {502, error.reason};
    return std::unexpected(error_);
  };
  if (state_ == State::done) return fail({502, "more than one response"});
  if (state_ == State::head) {
    const auto whole = read_head(input);
    if (!whole) return fail(whole.error());
    if (!*whole) return std::nullopt;
  }
  const auto whole = read_body(input);
  if (!whole) return fail(whole.error());
  if (!*whole) return std::nullopt;
  state_ = State::done;
  return Response{.status = head_.status,
                  .phrase = head_.phrase,
                  .version_minor = head_.version_minor,
                  .headers = head_.headers,
                  .keep_alive = wants_keep_alive(head_),
                  .body = body_.bytes()};
}

std::expected<bool, Error> ResponseParser::read_head(Bytes& input) {
  while (true) {
    const auto whole = collector_.collect(input);
    if (!whole || !*whole) return whole;
    head_ = {};
    if (const auto parsed = parse_response_head(collector_.bytes(), head_); !parsed) {
      return std::unexpected(parsed.error());
    }
    if (head_.headers.size() > limits_.header_count_max)
      return std::unexpected(Error{502, "too many headers"});
    // RFC9110§15.2: interim responses are not the final response.
    if (head_.status >= 200 || head_.status == 101) break;
    collector_.clear();
  }
  state_ = State::counted_body;
  status_ = head_.status;
  if (has_no_body(head_.status, connect_)) return true;
  const auto framing = find_framing(head_);
  if (!framing) return std::unexpected(framing.error());
  body_left_ = framing->content_length.value_or(0);
  if (body_left_ > limits_.body_bytes_max) return std::unexpected(Error{502, "body too large"});
  if (framing->chunked) state_ = State::chunked_body;
  return true;
}

std::expected<bool, Error> ResponseParser::read_body(Bytes& input) {
  if (state_ == State::chunked_body) return chunked_.decode(input, body_);
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, input.size()));
  body_.append(input.first(taken));
  input = input.subspan(taken);
  body_left_ -= taken;
  return body_left_ == 0;
}

}  // namespace fanfare::http
