#include "duration_flag.h"

#include "gateway/config_yaml.h"
#include "gateway/duration.h"

namespace fanfare::app {

std::expected<Duration, std::string> parse_duration_flag(std::string_view flag, std::string_view text) {
  auto duration = gateway::parse_duration(text);
  if (duration) return *duration;
  return std::unexpected(std::string(flag) + " " + duration.error() + " (" +
                         gateway::quoted_for_message(text) +
                         "), expected a duration such as 500ms, 30s, 1m30s or 1h");
}

}  // namespace fanfare::app
