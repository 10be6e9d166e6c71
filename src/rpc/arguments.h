#pragma once
// Finds the parameters of a method in a request: by position (an array) or by name (an object).

#include <optional>
#include <string_view>
#include <vector>

#include "fanfare/rpc.h"

namespace fanfare::rpc {

// One for each parameter, raw; empty: missing or null. The views point into `params_json`, which is raw and may
// be empty or null. Errors: -32602, whose message names the parameter that is missing, unknown, given twice or
// one too many.
Expected<std::vector<std::optional<std::string_view>>, RpcError> find_arguments(
    const std::vector<Parameter>& parameters, std::string_view params_json);

}  // namespace fanfare::rpc
