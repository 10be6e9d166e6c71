#pragma once
// HTTP/1.1 messages to be sent. Each is appended to `out` in one piece.
//
// A field whose name is no token or whose value holds control bytes is left out: no text of a peer's can
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
  int version_minor = 1;   // the request's: a 1.0 client is told "Connection: keep-alive" where it may go on
  std::string_view date;   // the Date header, from format_date(); empty: none
  bool head_only = false;  // the answer to HEAD: everything but the body
};

// How a body that comes in pieces ends. RFC9112§6.3.
enum class BodyFraming {
  counted,          // by Content-Length
  chunked,          // by its last chunk; not for an HTTP/1.0 client
  until_the_close,  // with the connection
};

// RFC9110§8.6: the others have neither a body nor a Content-Length.
constexpr bool may_have_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

// `status` has three digits. Content-Length is added where the status allows a body (not for 1xx, 204, 304),
// and Connection as the options say and where `headers` hold Upgrade (RFC9110§7.8). `headers` hold neither of
// the two; what a program gives goes through checked_answer() first.
void render_response(Output& out, int status, Headers headers, Bytes body, ResponseOptions options = {});

// The head of an answer whose body follows in pieces. `length` is for BodyFraming::counted. The status allows
// a body, and options.keep_alive is false with BodyFraming::until_the_close.
void render_response_head(Output& out, int status, Headers headers, BodyFraming framing, std::uint64_t length,
                          ResponseOptions options = {});
// RFC9112§7.1: one chunk, which is not empty, and what stands behind the last one.
void render_chunk(Output& out, Bytes data);
void render_last_chunk(Output& out);

// Content-Length is added when there is a body or the method usually has one.
void render_request(Output& out, std::string_view method, std::string_view target, Headers headers,
                    Bytes body = {});

// "HTTP/1.1 100 Continue" and the empty line.
void render_continue(Output& out);

// RFC9110§5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". Whole seconds, rounded down.
std::string format_date(WallTime now);

}  // namespace fanfare::http
