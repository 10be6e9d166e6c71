#include "gateway/config_env.h"

#include <algorithm>
#include <cstdlib>

namespace fanfare::gateway {
namespace {

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && !digit(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return letter(c) || digit(c); });
}

// `inside` is the text between the braces.
std::expected<std::string, std::string> value_of(std::string_view inside, const EnvironmentLookup& lookup) {
  const std::size_t split = inside.find(":-");
  const std::string_view name = inside.substr(0, split);
  if (!is_name(name)) {
    // Its text may be a secret.
    return std::unexpected("has a malformed variable, expected ${NAME} or ${NAME:-default}");
  }
  std::optional<std::string> value = lookup(name);
  if (split != std::string_view::npos && (!value || value->empty())) {
    return std::string(inside.substr(split + 2));
  }
  if (!value) {
    if (!is_conventional_variable(name)) {
      return std::unexpected(
          "names an environment variable that is not set, expected it to be set, or ${NAME:-default}");
    }
    return std::unexpected("names an environment variable that is not set (${" + std::string(name) +
                           "}), expected it to be set, or ${" + std::string(name) + ":-default}");
  }
  return *std::move(value);
}

}  // namespace

bool is_conventional_variable(std::string_view name) {
  return std::ranges::all_of(
      name, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; });
}

std::expected<Expanded, std::string> expand_environment(std::string_view value,
                                                        const EnvironmentLookup& lookup) {
  Expanded expanded;
  while (!value.empty()) {
    const std::size_t dollar = value.find('$');
    expanded.text += value.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    value.remove_prefix(dollar);
    if (value.starts_with("$${")) {
      expanded.text += "${";
      value.remove_prefix(3);
    } else if (value.starts_with("${")) {
      const std::size_t end = value.find('}');
      if (end == std::string_view::npos) {
        return std::unexpected("has a ${ without its }, expected ${NAME}, or $${ for a literal ${");
      }
      auto found = value_of(value.substr(2, end - 2), lookup);
      if (!found) return std::unexpected(std::move(found.error()));
      expanded.text += *found;
      expanded.substituted = true;
      value.remove_prefix(end + 1);
    } else {
      expanded.text += '$';
      value.remove_prefix(1);
    }
  }
  return expanded;
}

std::optional<std::string> process_environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace fanfare::gateway
