#pragma once
// The form of the log of `fanfare serve`.

#include <expected>
#include <optional>
#include <string>

#include "arguments.h"
#include "base/log_format.h"
#include "gateway/config_env.h"

namespace fanfare::app {

// --log-format, else the variable FANFARE_LOG_FORMAT if it is not empty. Empty: neither is given. The error is printable
// text without a final newline: the invalid flag or variable and its valid values.
std::expected<std::optional<log::Format>, std::string> log_format_of(
    const ServeArguments& arguments, const gateway::EnvironmentLookup& environment);

}  // namespace fanfare::app
