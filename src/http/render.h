#pragma once
// HTTP/1.1 messages to be sent. Each is appended to `out` in one piece.
//
// A field whose name is no token or whose value holds control bytes is left out: no text of a peer's can
// split a message in two.

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

// `status` has three digits. Content-Length is added where the status allows a body (not for 1xx, 204, 304),
// and Connection as the options say and where `headers` hold Upgrade (RFC9110§7.8). `headers` hold neither of
// the two; what a program gives goes through checked_answer() first.
void render_response(Output& out, int status, Headers headers, Bytes body, ResponseOptions options = {});

// Content-Length is added when there is a body or the method usually has one.
void render_request(Output& out, std::string_view method, std::string_view target, Headers headers,
                    Bytes body = {});

// "HTTP/1.1 100 Continue" and the empty line.
void render_continue(Output& out);

// RFC9110§5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". Whole seconds, rounded down.
std::string format_date(WallTime now);

}  // namespace fanfare::http
