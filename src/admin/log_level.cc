#include "admin/log_level.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fanfare::admin {
namespace {

constexpr std::array<std::pair<std::string_view, log::Level>, 6> kLevels{{{"trace", log::Level::trace},
                                                                          {"debug", log::Level::debug},
                                                                          {"info", log::Level::info},
                                                                          {"warn", log::Level::warn},
                                                                          {"error", log::Level::error},
                                                                          {"off", log::Level::off}}};

}  // namespace

// The lowest level that is written.
std::string_view log_level_name() {
  for (const auto& [name, level] : kLevels) {
    if (log::enabled(level)) return name;
  }
  return "off";
}

std::optional<log::Level> log_level_of(std::string_view name) {
  const auto found = std::ranges::find(kLevels, name, &std::pair<std::string_view, log::Level>::first);
  return found == kLevels.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace fanfare::admin
