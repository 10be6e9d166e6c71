#pragma once
// The header fields that control what a page may do with an answer
// (https://fetch.spec.whatwg.org/#http-cors-protocol). Every answer of a port has them: a page cannot report
// an error that it may not read.

#include <vector>

#include "http/headers.h"
#include "server/browser_rules.h"
#include "ws/handshake.h"

namespace fanfare::server {

// The fields for any answer to the request with these headers. Unless every origin is allowed, the answer
// depends on the origin, and Vary says so.
std::vector<ws::OwnedHeader> cors_headers(const BrowserRules& rules, http::Headers headers);

// Additional fields for the answer to a preflight of an allowed page: the allowed methods, and the allowed
// request headers. The latter are our own list and at most kAskedHeadersMax of those that the page requests.
// `changes`: PUT and DELETE are offered, too.
inline constexpr std::size_t kAskedHeadersMax = 32;
std::vector<ws::OwnedHeader> preflight_headers(const BrowserRules& rules, http::Headers headers,
                                               bool changes = false);

}  // namespace fanfare::server
