#include "http/request_parser.h"

#include <algorithm>
#include <utility>

#include "http/authority.h"
#include "http/target.h"

namespace fanfare::http {
namespace {

// Space for the method, the version and the spaces around the target.
constexpr std::size_t kStartLineExtra = 64;
// How much of a large body's memory a parser keeps afterwards.
constexpr std::size_t kBodyKeptBytes = 64 * 1024;

// RFC9112§3.2: origin-form "/a?b", absolute-form "http://host/a?b", "*", or CONNECT's "host:port".
void split_target(Request& request) {
  std::string_view rest = request.target;
  // An empty authority is refused by check_target().
  if (const std::string_view authority = authority_of(rest); !authority.empty()) {
    rest.remove_prefix(static_cast<std::size_t>(authority.data() + authority.size() - rest.data()));
  }
  const std::size_t mark = rest.find('?');
  request.path = rest.substr(0, mark);
  if (request.path.empty()) request.path = "/";
  request.query = mark == std::string_view::npos ? std::string_view() : rest.substr(mark + 1);
}

std::optional<Error> check_target(const Request& request) {
  // RFC9112§3.2.4: "*" addresses the server as a whole, and only OPTIONS may use it.
  if (request.target == "*") {
    return request.method == "OPTIONS" ? std::nullopt
                                       : std::optional(Error{400, "only OPTIONS can have the target *"});
  }
  // RFC9112§3.2.3: CONNECT names a host and a port; no other method does.
  if (request.method == "CONNECT") {
    const bool is_authority = request.target.contains(':') && is_host_and_port(request.target);
    return is_authority ? std::nullopt : std::optional(Error{400, "CONNECT needs a host and a port"});
  }
  if (!request.target.starts_with('/')) {
    // RFC9110§4.2.1, §4.2.4: an empty host, or a user before the host, is invalid.
    const std::string_view authority = authority_of(request.target);
    if (authority.empty() || authority.starts_with(':') || !is_host_and_port(authority)) {
      return Error{400, "invalid host in the request target"};
    }
  }
  // RFC9112§3.2, RFC3986§2: all other bytes must be percent-encoded.
  if (!is_path_text(request.path) || !is_query_text(request.query)) {
    return Error{400, "a byte in the request target has to be percent-encoded"};
  }
  return std::nullopt;
}

}  // namespace

RequestParser::RequestParser(RequestLimits limits)
    : limits_(limits),
      collector_({.head_bytes_max = limits.head_bytes_max,
                  .start_line_bytes_max = limits.target_bytes_max + kStartLineExtra}),
      chunked_({.body_bytes_max = limits.body_bytes_max}) {}

std::unexpected<Error> RequestParser::fail(Error error) {
  state_ = State::failed;
  error_ = error;
  return std::unexpected(error);
}

Error RequestParser::give_up(Error error) {
  body_ = {};
  return fail(error).error();
}

std::expected<std::optional<Request>, Error> RequestParser::next(Bytes& input) {
  if (!in_body()) {
    auto head = next_head(input);
    if (!head || !*head || !in_body()) return head;
    if (const auto fits = limit_body(limits_.body_bytes_max); !fits) return std::unexpected(fits.error());
  }
  return next_body(input);
}

std::expected<std::optional<Request>, Error> RequestParser::next_head(Bytes& input) {
  if (state_ == State::failed) return std::unexpected(error_);
  if (state_ == State::done) reset();
  const auto whole = collector_.collect(input);
  if (!whole) return fail(whole.error());
  if (!*whole) return std::nullopt;
  if (const auto started = start(input.size()); !started) return fail(started.error());
  return request_;
}

std::expected<void, Error> RequestParser::limit_body(std::uint64_t bytes_max) {
  if (body_left_ > bytes_max) return fail({413, "body too large"});
  chunked_.limit_body(bytes_max);
  return {};
}

std::expected<std::optional<Request>, Error> RequestParser::next_body(Bytes& input) {
  if (state_ == State::failed) return std::unexpected(error_);
  const auto whole = read_body(input);
  if (!whole) return fail(whole.error());
  if (!*whole) return std::nullopt;
  state_ = State::done;
  continue_wanted_ = false;
  return request_;
}

std::expected<RequestParser::Piece, Error> RequestParser::next_piece(Bytes& input) {
  if (state_ == State::failed) return std::unexpected(error_);
  Piece piece;
  if (state_ == State::chunked_body) {
    body_.clear();
    const auto whole = chunked_.decode(input, body_);
    if (!whole) return fail(whole.error());
    piece = {.bytes = body_.bytes(), .last = *whole};
  } else {
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, input.size()));
    piece.bytes = input.first(taken);
    input = input.subspan(taken);
    body_left_ -= taken;
    piece.last = body_left_ == 0;
  }
  if (piece.last) state_ = State::done;
  if (piece.last || !piece.bytes.empty()) continue_wanted_ = false;
  return piece;
}

bool RequestParser::take_continue() {
  return std::exchange(continue_wanted_, false);
}

bool RequestParser::in_request() const {
  switch (state_) {
    case State::head:
      return !collector_.bytes().empty();
    case State::counted_body:
    case State::chunked_body:
      return true;
    case State::done:
    case State::failed:
      return false;
  }
  return false;
}

// Checks the requirements on the head beyond its grammar.
std::optional<Error> RequestParser::check_head() const {
  if (head_.headers.size() > limits_.header_count_max) return Error{431, "too many header lines"};
  if (head_.target.size() > limits_.target_bytes_max) return Error{414, "request target too long"};
  // RFC9112§3.2: the target of a request has no fragment.
  if (head_.target.find('#') != std::string_view::npos) return Error{400, "fragment in the request target"};
  // RFC9112§3.2: exactly one Host in HTTP/1.1, at most one in HTTP/1.0.
  const std::size_t hosts = count_headers(head_.headers, "Host");
  if (hosts > 1) return Error{400, "duplicate Host"};
  if (hosts == 0 && head_.version_minor == 1) return Error{400, "missing Host"};
  // RFC9112§3.2: 400 for an invalid one. An empty one is valid: the target has no host.
  if (hosts == 1 && !is_host_and_port(*find_header(head_.headers, "Host"))) return Error{400, "invalid Host"};
  return std::nullopt;
}

// Parses the target.
std::optional<Error> RequestParser::read_target() {
  split_target(request_);
  if (const auto error = check_target(request_)) return error;
  // RFC9112§3.2.2: the host of an absolute-form target replaces the value of Host.
  if (const std::string_view authority = authority_of(request_.target); !authority.empty()) {
    const auto is_host = [](const HeaderField& field) { return equals_ignoring_case(field.name, "Host"); };
    const auto host = std::ranges::find_if(head_.headers, is_host);
    if (host != head_.headers.end()) host->value = authority;
  }
  return std::nullopt;
}

// The head is complete: determines how the body is delimited.
std::expected<void, Error> RequestParser::start(std::size_t input_left) {
  if (const auto parsed = parse_request_head(collector_.bytes(), head_); !parsed) {
    return std::unexpected(parsed.error());
  }
  if (const auto error = check_head()) return std::unexpected(*error);
  const auto framing = find_framing(head_);
  if (!framing) return std::unexpected(framing.error());

  request_ = {.method = head_.method,
              .target = head_.target,
              .version_minor = head_.version_minor,
              .headers = head_.headers,
              .keep_alive = wants_keep_alive(head_)};
  if (const auto error = read_target()) return std::unexpected(*error);
  // RFC9110§7.8: Upgrade counts only if Connection names it, and not in HTTP/1.0.
  request_.upgrade = head_.version_minor == 1 && find_header(head_.headers, "Upgrade").has_value() &&
                     header_has_token(head_.headers, "Connection", "upgrade");

  body_left_ = framing->content_length.value_or(0);
  const bool has_body = framing->chunked || body_left_ > 0;
  state_ = !has_body ? State::done : framing->chunked ? State::chunked_body : State::counted_body;

  // RFC9110§10.1.1: an expectation in HTTP/1.0 is ignored; an unknown one is rejected.
  if (const auto expectation = find_header(head_.headers, "Expect");
      expectation && head_.version_minor == 1) {
    if (!equals_ignoring_case(*expectation, "100-continue")) {
      return std::unexpected(Error{417, "unknown expectation"});
    }
    continue_wanted_ = input_left == 0 && has_body;
  }
  return {};
}

std::expected<bool, Error> RequestParser::read_body(Bytes& input) {
  if (state_ == State::chunked_body) {
    const auto whole = chunked_.decode(input, body_);
    if (whole && *whole) request_.body = body_.bytes();
    return whole;
  }
  if (body_.empty() && body_left_ <= input.size()) {  // all of it is present: no copy
    request_.body = input.first(static_cast<std::size_t>(body_left_));
    input = input.subspan(static_cast<std::size_t>(body_left_));
    return true;
  }
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, input.size()));
  body_.append(input.first(taken));
  input = input.subspan(taken);
  body_left_ -= taken;
  if (body_left_ > 0) return false;
  request_.body = body_.bytes();
  return true;
}

void RequestParser::reset() {
  state_ = State::head;
  collector_.clear();
  head_ = {.headers = std::move(head_.headers)};
  head_.headers.clear();
  request_ = {};
  body_left_ = 0;
  chunked_ = ChunkedDecoder({.body_bytes_max = limits_.body_bytes_max});
  body_.clear();
  if (body_.capacity() > kBodyKeptBytes) body_.release();
}

}  // namespace fanfare::http
