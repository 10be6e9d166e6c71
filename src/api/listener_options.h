#pragma once
// The listeners of a program's server.

#include <expected>
#include <string>
#include <vector>

#include "fanfare/options.h"
#include "server/listener.h"

namespace fanfare::api {

// The first one is that of the options themselves. The error: an inherited socket that was not passed.
std::expected<std::vector<server::ListenerOptions>, std::string> listener_options(
    const ServerOptions& options);

}  // namespace fanfare::api
