#pragma once
// What our own HTTP client sends before a call's body, and what it cannot send.

#include <optional>
#include <string>

#include "http/url.h"
#include "upstream/http_node.h"

namespace fanfare::upstream {

// The head of each request to the node, up to the value of Content-Length.
std::string builtin_request_head(const HttpOptions& options, const http::Url& url);

// What our own client lacks for these options, for people and without secrets; empty: it has all of it.
std::optional<std::string> beyond_builtin_client(const HttpOptions& options);

}  // namespace fanfare::upstream
