#include "http/head.h"

#include <llhttp.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace fanfare::http {
namespace {

// Collects the data from llhttp's callbacks. At most one header is between its field and its value.
struct Gathering {
  Head* head;
  std::string_view name;
  std::string_view value;
  bool complete = false;
};

Gathering& gathering(llhttp_t* parser) {
  return *static_cast<Gathering*>(parser->data);
}

// llhttp may deliver one piece of text in several adjoining parts.
void extend(std::string_view& text, const char* at, std::size_t size) {
  text = text.data() != nullptr && text.data() + text.size() == at
             ? std::string_view(text.data(), text.size() + size)
             : std::string_view(at, size);
}

int on_method(llhttp_t* parser, const char* at, std::size_t size) {
  extend(gathering(parser).head->method, at, size);
  return 0;
}
int on_url(llhttp_t* parser, const char* at, std::size_t size) {
  extend(gathering(parser).head->target, at, size);
  return 0;
}
int on_status(llhttp_t* parser, const char* at, std::size_t size) {
  extend(gathering(parser).head->phrase, at, size);
  return 0;
}
int on_header_field(llhttp_t* parser, const char* at, std::size_t size) {
  extend(gathering(parser).name, at, size);
  return 0;
}
int on_header_value(llhttp_t* parser, const char* at, std::size_t size) {
  extend(gathering(parser).value, at, size);
  return 0;
}
int on_header_value_complete(llhttp_t* parser) {
  Gathering& found = gathering(parser);
  found.head->headers.push_back({.name = found.name, .value = trim_space(found.value)});
  found.name = {};
  found.value = {};
  return 0;
}
int on_headers_complete(llhttp_t* parser) {
  gathering(parser).complete = true;
  return 0;
}

const llhttp_settings_t& settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_method = on_method;
    made.on_url = on_url;
    made.on_status = on_status;
    made.on_header_field = on_header_field;
    made.on_header_value = on_header_value;
    made.on_header_value_complete = on_header_value_complete;
    made.on_headers_complete = on_headers_complete;
    return made;
  }();
  return kSettings;
}

// Finds input that llhttp accepts but that two readers of one connection may interpret differently.
std::optional<Error> find_ambiguity(std::string_view bytes) {
  std::size_t from = 0;
  while (from < bytes.size()) {
    const std::size_t end = bytes.find('\n', from);
    const std::string_view line = bytes.substr(from, end - from - 1);  // every LF here has its CR
    // RFC9112§5.2: a server rejects obsolete line folding.
    if (line.starts_with(' ') || line.starts_with('\t')) return Error{400, "folded header line"};
    // RFC9112§2.2: a bare CR is invalid. RFC9110§5.5: CR, LF and NUL in a value are dangerous.
    if (!is_header_value(line)) return Error{400, "control byte in the head"};
    from = end + 1;
  }
  return std::nullopt;
}

// RFC9112§3: method SP target SP version, with single spaces; llhttp accepts several.
std::optional<Error> find_start_line_error(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos || first == 0 || second == first + 1) {
    return Error{400, "malformed request line"};
  }
  const std::string_view version = line.substr(second + 1);
  if (version == "HTTP/1.1" || version == "HTTP/1.0") return std::nullopt;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) && version[6] == '.' &&
      is_digit(version[7])) {
    return Error{505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  }
  return Error{400, "malformed request line"};
}

llhttp_errno_t run(llhttp_type_t type, std::string_view bytes, Gathering& found) {
  llhttp_t parser;
  llhttp_init(&parser, type, &settings());
  parser.data = &found;
  const llhttp_errno_t result = llhttp_execute(&parser, bytes.data(), bytes.size());
  found.head->version_minor = parser.http_major == 1 ? parser.http_minor : -1;
  found.head->status = parser.status_code;
  const bool parsed = found.complete && (result == HPE_OK || result == HPE_PAUSED_UPGRADE);
  return parsed ? HPE_OK : (result == HPE_OK ? HPE_INVALID_EOF_STATE : result);
}

Error request_error(llhttp_errno_t error, std::string_view bytes) {
  switch (error) {
    case HPE_INVALID_METHOD:
      // RFC9110§15.6.2: a method that we do not know; any other text here is not HTTP.
      return is_token(bytes.substr(0, bytes.find(' '))) ? Error{501, "unknown method"}
                                                        : Error{400, "invalid method"};
    case HPE_INVALID_URL:
      return {400, "invalid request target"};
    case HPE_INVALID_HEADER_TOKEN:
    case HPE_UNEXPECTED_SPACE:
      return {400, "invalid header"};
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return {400, "invalid Content-Length"};
    case HPE_INVALID_TRANSFER_ENCODING:
      return {400, "invalid Transfer-Encoding"};
    default:  // a C enumeration that grows with the library
      return {400, "malformed request"};
  }
}

}  // namespace

void HeadCollector::clear() {
  bytes_.clear();
  in_start_line_ = true;
  skipped_empty_line_ = false;
}

std::expected<bool, Error> HeadCollector::collect(Bytes& input) {
  while (!input.empty()) {
    const std::size_t limit = in_start_line_ ? std::min(limits_.start_line_bytes_max, limits_.head_bytes_max)
                                             : limits_.head_bytes_max;
    const std::size_t room = limit - bytes_.size();
    const std::string_view window = as_text(input.first(std::min(room, input.size())));
    // RFC9112§3: a start line begins with a method or "HTTP". Other input, such as a TLS record, can never
    // become a head, so it is rejected now, not at the handshake timeout.
    if (bytes_.empty() && !is_token(window.substr(0, 1)) && window[0] != '\r' && window[0] != '\n') {
      return std::unexpected(Error{400, "what came is not HTTP"});
    }
    const std::size_t line_feed = window.find('\n');
    const std::size_t taken = line_feed == std::string_view::npos ? window.size() : line_feed + 1;
    bytes_.append(window.substr(0, taken));
    input = input.subspan(taken);
    if (line_feed == std::string_view::npos) {
      if (input.empty()) return false;
      if (limit < limits_.head_bytes_max) return std::unexpected(Error{414, "start line too long"});
      return std::unexpected(Error{431, "head too large"});
    }
    // RFC9112§2.2: some readers accept a lone LF and others do not.
    if (!bytes_.ends_with("\r\n")) return std::unexpected(Error{400, "line feed without carriage return"});
    if (bytes_.size() == 2) {
      // RFC9112§2.2: one empty line before the start line is ignored.
      if (skipped_empty_line_) return std::unexpected(Error{400, "empty lines before the start line"});
      skipped_empty_line_ = true;
      bytes_.clear();
      continue;
    }
    in_start_line_ = false;
    if (bytes_.ends_with("\r\n\r\n")) return true;
  }
  return false;
}

std::expected<void, Error> parse_request_head(std::string_view bytes, Head& head) {
  if (const auto ambiguity = find_ambiguity(bytes)) return std::unexpected(*ambiguity);
  if (const auto error = find_start_line_error(bytes.substr(0, bytes.find('\r')))) {
    return std::unexpected(*error);
  }
  Gathering found{.head = &head};
  const llhttp_errno_t error = run(HTTP_REQUEST, bytes, found);
  if (error != HPE_OK) return std::unexpected(request_error(error, bytes));
  for (const HeaderField& field : head.headers) {
    if (!is_token(field.name)) return std::unexpected(Error{400, "invalid header"});
  }
  return {};
}

std::expected<void, Error> parse_response_head(std::string_view bytes, Head& head) {
  const auto refused = [](std::string_view reason) { return std::unexpected(Error{502, reason}); };
  if (const auto ambiguity = find_ambiguity(bytes)) return refused(ambiguity->reason);
  Gathering found{.head = &head};
  if (run(HTTP_RESPONSE, bytes, found) != HPE_OK) return refused("not an HTTP response");
  if (head.version_minor != 0 && head.version_minor != 1) return refused("unknown HTTP version");
  if (head.status < 100 || head.status > 599) return refused("invalid status");
  for (const HeaderField& field : head.headers) {
    if (!is_token(field.name)) return refused("invalid header");
  }
  return {};
}

std::expected<Framing, Error> find_framing(const Head& head) {
  const std::size_t lengths = count_headers(head.headers, "Content-Length");
  const std::size_t encodings = count_headers(head.headers, "Transfer-Encoding");
  // RFC9112§6.3: one delimiter, given once. More than one may be a smuggling attempt.
  if (lengths > 1) return std::unexpected(Error{400, "duplicate Content-Length"});
  if (encodings > 1) return std::unexpected(Error{400, "duplicate Transfer-Encoding"});
  if (lengths + encodings > 1) {
    return std::unexpected(Error{400, "both Content-Length and Transfer-Encoding"});
  }
  Framing framing;
  if (encodings == 1) {
    // RFC9112§6.1: HTTP/1.0 has no transfer codings.
    if (head.version_minor == 0) return std::unexpected(Error{400, "Transfer-Encoding in HTTP/1.0"});
    if (!equals_ignoring_case(*find_header(head.headers, "Transfer-Encoding"), "chunked")) {
      return std::unexpected(Error{501, "unknown Transfer-Encoding"});
    }
    framing.chunked = true;
  }
  if (lengths == 1) {
    const std::string_view text = *find_header(head.headers, "Content-Length");
    std::uint64_t length = 0;
    const char* const end = std::to_address(text.end());
    const auto read = std::from_chars(std::to_address(text.begin()), end, length);
    if (read.ec != std::errc() || read.ptr != end) {
      return std::unexpected(Error{400, "invalid Content-Length"});
    }
    framing.content_length = length;
  }
  return framing;
}

bool wants_keep_alive(const Head& head) {
  if (header_has_token(head.headers, "Connection", "close")) return false;
  return head.version_minor == 1 || header_has_token(head.headers, "Connection", "keep-alive");
}

}  // namespace fanfare::http
