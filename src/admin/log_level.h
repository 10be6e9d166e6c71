#pragma once
// The level of the process's log, by name.

#include <optional>
#include <string_view>

#include "base/log.h"

namespace fanfare::admin {

std::string_view log_level_name();
// Empty: there is no such level.
std::optional<log::Level> log_level_of(std::string_view name);
inline constexpr std::string_view kLogLevelsExpected = "trace, debug, info, warn, error or off";

}  // namespace fanfare::admin
