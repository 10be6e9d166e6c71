#pragma once
// From a configuration to the plan that is served (plan_from() in gateway/config.h).

#include <cstddef>
#include <optional>
#include <string_view>

#include "gateway/config.h"

namespace fanfare::gateway {

// The index in the plan of the network with this name ("main/1"), or of a project's only one ("main"). Empty: there is none.
std::optional<std::size_t> network_index(const Config& config, std::string_view name);

}  // namespace fanfare::gateway
