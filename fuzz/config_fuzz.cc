// Any bytes as a configuration file. The result is a configuration that can be planned and described, or one
// error with a location inside the file and a message of one printable line. It never crashes or hangs, and
// gives the same result twice.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "gateway/config.h"
#include "gateway/config_summary.h"

using namespace fanfare;
using namespace fanfare::gateway;

namespace {

// Some variables are set, one of them to a hostile value.
std::optional<std::string> environment(std::string_view name) {
  if (name == "A") return "http://127.0.0.1:8545";
  if (name == "B") return "30s\nprojects: [";
  if (name == "C") return "";
  return std::nullopt;
}

void check_error(const ConfigError& error, std::string_view text) {
  const auto lines = static_cast<int>(std::ranges::count(text, '\n')) + 1;
  FANFARE_CHECK(error.diagnostic.location.line >= 0 && error.diagnostic.location.line <= lines);
  FANFARE_CHECK((error.diagnostic.location.line == 0) == (error.diagnostic.location.column == 0));
  const std::string message = error.message();
  FANFARE_CHECK(message.starts_with("fuzz.yaml:"));
  FANFARE_CHECK(message.contains(", expected "));
  FANFARE_CHECK(std::ranges::none_of(message, [](char c) { return static_cast<unsigned char>(c) < ' '; }));
}

void check_plan(const ServePlan& plan) {
  FANFARE_CHECK(!plan.listeners.empty() && (!plan.networks.empty() || plan.streams));
  for (const NetworkPlan& network : plan.networks) {
    FANFARE_CHECK(network.chain_id.has_value());
    FANFARE_CHECK(!std::get<UpstreamBackend>(network.backend).empty());
  }
  FANFARE_CHECK(!summary_of(plan).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text({data, size});
  const auto config = parse_config(text, "fuzz.yaml", environment);
  const auto again = parse_config(text, "fuzz.yaml", environment);
  FANFARE_CHECK(config.has_value() == again.has_value());
  if (config) {
    check_plan(plan_from(*config));
  } else {
    check_error(config.error(), text);
    FANFARE_CHECK(config.error().message() == again.error().message());
  }
  return 0;
}
