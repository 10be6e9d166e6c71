#pragma once
// Calls over our own HTTP/1.1 client, on the worker's loop. It keeps connections, resolves names (and keeps addresses for a
// minute), races the addresses of a host (decision 0060), and never sends a call twice, except for a read whose kept
// connection ended before any byte of an answer. Worker thread.

#include <expected>
#include <memory>
#include <string>

#include "upstream/http_exchange.h"
#include "upstream/http_node.h"
#include "upstream/worker.h"

namespace fanfare::upstream {

// `options` and `owner` must outlive it. beyond_builtin_client(options) must be empty (builtin_request.h). Error: the authorities of
// options.ca_file cannot be read.
std::expected<std::unique_ptr<HttpClient>, std::string> make_builtin_client(Worker& worker,
                                                                            const HttpOptions& options,
                                                                            HttpClient::Owner& owner);

}  // namespace fanfare::upstream
