#pragma once
// What /readyz answers.

#include <string_view>
#include <vector>

#include "gateway/network.h"
#include "session/http_service.h"

namespace fanfare::gateway {

// For all networks, or for those named by `?network=`.
session::HttpResponse readiness(std::string_view query, const std::vector<const Network*>& all,
                                bool is_draining);

}  // namespace fanfare::gateway
