#include "serve/log_flags.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace fanfare::app {
namespace {

std::expected<std::optional<log::Format>, std::string> format_for(std::optional<std::string> flag,
                                                                  std::optional<std::string> variable) {
  ServeArguments arguments;
  arguments.log_format = std::move(flag);
  return log_format_of(arguments, [&](std::string_view name) -> std::optional<std::string> {
    return name == "FANFARE_LOG_FORMAT" ? variable : std::nullopt;
  });
}

TEST(LogFlags, TheFlagThenTheEnvironmentThenTheFile) {
  EXPECT_EQ(format_for("json", "text"), log::Format::json);
  EXPECT_EQ(format_for("text", "json"), log::Format::text);
  EXPECT_EQ(format_for({}, "json"), log::Format::json);
  EXPECT_EQ(format_for({}, ""), std::nullopt);
  EXPECT_EQ(format_for({}, {}), std::nullopt);
}

TEST(LogFlags, AnotherFormIsRefused) {
  EXPECT_EQ(format_for("xml", {}).error(),
            "fanfare serve: --log-format is unknown (\"xml\"), expected text or json");
  EXPECT_EQ(format_for("", {}).error(),
            "fanfare serve: --log-format is unknown (\"\"), expected text or json");
  EXPECT_EQ(format_for({}, "JSON").error(),
            "fanfare serve: FANFARE_LOG_FORMAT is unknown (\"JSON\"), expected text or json");
}

}  // namespace
}  // namespace fanfare::app
