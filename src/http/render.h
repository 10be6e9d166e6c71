#pragma once
// Renders outgoing HTTP/1.1 messages. Each is appended to `out` in one piece.
//
// A field is omitted if its name is not a token or its value contains control bytes. So text from a peer
// cannot split a message in two.
// split a message in two.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "http/headers.h"

namespace fanfare::http {

struct ResponseOptions {
  bool keep_alive = true;  // false adds "Connection: close"
  int version_minor = 1;   // the request's; a 1.0 client gets "Connection: keep-alive" if it may continue
  std::string_view date;   // the Date header, from format_date(); empty: none
  bool head_only = false;  // the response to HEAD: everything except the body
};

// How the end of a body in pieces is marked. RFC9112§6.3.
enum class BodyFraming {
  counted,          // by Content-Length
  chunked,          // by its last chunk; not for an HTTP/1.0 client
  until_the_close,  // by closing the connection
};

// RFC9110§8.6: responses with other statuses have neither a body nor a Content-Length.
constexpr bool may_have_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

// `status` has three digits. Content-Length is added if the status allows a body (not for 1xx, 204, 304).
// Connection is added according to the options, and if `headers` contain Upgrade (RFC9110§7.8). `headers`
// must contain neither of the two. A program's headers must pass checked_answer() first.
void render_response(Output& out, int status, Headers headers, Bytes body, ResponseOptions options = {});

// Renders the head of a response whose body follows in pieces. `length` applies to BodyFraming::counted. The
// status must allow a body, and options.keep_alive must be false for BodyFraming::until_the_close.
void render_response_head(Output& out, int status, Headers headers, BodyFraming framing, std::uint64_t length,
                          ResponseOptions options = {});
// RFC9112§7.1: one non-empty chunk, and the end marker after the last one.
void render_chunk(Output& out, Bytes data);
void render_last_chunk(Output& out);

// Content-Length is added if there is a body or the method usually has one.
void render_request(Output& out, std::string_view method, std::string_view target, Headers headers,
                    Bytes body = {});

// "HTTP/1.1 100 Continue" and the empty line.
void render_continue(Output& out);

// RFC9110§5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". Whole seconds, rounded down.
std::string format_date(WallTime now);

// The same, made once for all times of a second.
class DateText {
 public:
  // Valid until the next call.
  std::string_view of(WallTime now);

 private:
  std::chrono::sys_seconds second_{};
  std::string text_;  // empty: none was made yet
};

}  // namespace fanfare::http
