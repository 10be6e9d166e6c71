#include "serve/log_flags.h"

#include <string_view>

#include "base/text.h"
#include "gateway/config_yaml.h"

namespace fanfare::app {

std::expected<std::optional<log::Format>, std::string> log_format_of(
    const ServeArguments& arguments, const gateway::EnvironmentLookup& environment) {
  std::string_view flag = "--log-format";
  std::optional<std::string> name = arguments.log_format;
  if (!name) {
    flag = "FANFARE_LOG_FORMAT";
    name = environment(flag);
    if (!name || name->empty()) return std::nullopt;
  }
  if (const auto format = log::format_named(*name)) return format;
  return std::unexpected(joined({"fanfare serve: ", flag, " is unknown (", gateway::quoted_for_message(*name),
                                 "), expected text or json"}));
}

}  // namespace fanfare::app
