#pragma once
// Calls over libcurl, for nodes that need more than our own client has: HTTP/2, a proxy. Worker thread.

#include <memory>

#include "upstream/http_exchange.h"
#include "upstream/http_node.h"
#include "upstream/worker.h"

namespace fanfare::upstream {

// `options` and `owner` must outlive it.
std::unique_ptr<HttpClient> make_curl_client(Worker& worker, const HttpOptions& options,
                                             HttpClient::Owner& owner);

}  // namespace fanfare::upstream
