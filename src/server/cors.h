#pragma once
// The fields that tell a browser what a page may do with an answer
// (https://fetch.spec.whatwg.org/#http-cors-protocol). Every answer of a port carries them: a page that may
// not read an error cannot report it.

#include <vector>

#include "http/headers.h"
#include "server/browser_rules.h"
#include "ws/handshake.h"

namespace fanfare::server {

// Of any answer to the request with these headers. Where not every origin is let in, the answer differs by
// origin, and caches are told so.
std::vector<ws::OwnedHeader> cors_headers(const BrowserRules& rules, http::Headers headers);

// In the answer to an OPTIONS of a page that may ask, besides those above: the methods, and the request
// headers that may be sent: our own list and what the page asks for, at most kAskedHeadersMax of it.
inline constexpr std::size_t kAskedHeadersMax = 32;
std::vector<ws::OwnedHeader> preflight_headers(const BrowserRules& rules, http::Headers headers);

}  // namespace fanfare::server
