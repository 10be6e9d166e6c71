// Compares tests/golden/config/NAME.yaml with NAME.expected: the one error, letter by letter, or the output
// of `fanfare check` for a valid file. FANFARE_GOLDEN_WRITE=1 writes the expectations instead; review the
// difference.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "gateway/config.h"
#include "gateway/config_summary.h"

namespace fanfare::gateway {
namespace {

namespace fs = std::filesystem;

fs::path golden_folder() {
  return fs::path(FANFARE_SOURCE_DIR) / "tests" / "golden" / "config";
}

std::string contents(const fs::path& path) {
  const std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::optional<std::string> golden_environment(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> kVariables{
      {"NODE_URL", "http://node.example:8545"},
      {"PORT", "4100"},
      {"PING", ""},
      {"SECRET_PATH", "s3cret"},
      {"SECRET", "s3cret: [1, 2]"},
  };
  const auto found = kVariables.find(name);
  if (found == kVariables.end()) return std::nullopt;
  return found->second;
}

std::string outcome_of(const fs::path& path) {
  const auto config = parse_config(contents(path), path.filename().string(), golden_environment);
  return config ? summary_of(plan_from(*config), config->web) : config.error().message() + "\n";
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(golden_folder())) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

class ConfigGolden : public testing::TestWithParam<std::string> {};

TEST_P(ConfigGolden, SaysExactlyThis) {
  const fs::path input = golden_folder() / (GetParam() + ".yaml");
  const fs::path expectation = golden_folder() / (GetParam() + ".expected");
  const std::string outcome = outcome_of(input);
  if (std::getenv("FANFARE_GOLDEN_WRITE") != nullptr) std::ofstream(expectation) << outcome;
  EXPECT_EQ(outcome, contents(expectation));
  // The name of a case says which outcome it expects, so that no error can turn into a success unnoticed.
  const bool failed = outcome.starts_with(GetParam() + ".yaml:");
  EXPECT_NE(failed, GetParam().starts_with("valid_")) << outcome;
  EXPECT_FALSE(outcome.contains("s3cret")) << outcome;
}

INSTANTIATE_TEST_SUITE_P(Files, ConfigGolden, testing::ValuesIn(golden_names()),
                         [](const auto& chosen) { return chosen.param; });

}  // namespace
}  // namespace fanfare::gateway
