#include "access/name_rules.h"

#include <algorithm>

#include "http/headers.h"

namespace fanfare::access {
namespace {

bool is_visible(char c) {
  return c > ' ' && c < '\x7f';
}

bool begins(std::string_view text, std::string_view with, bool any_case) {
  if (text.size() < with.size()) return false;
  const std::string_view start = text.substr(0, with.size());
  return any_case ? http::equals_ignoring_case(start, with) : start == with;
}

bool fits(std::string_view pattern, std::string_view name, bool any_case) {
  if (pattern.ends_with('*')) return begins(name, pattern.substr(0, pattern.size() - 1), any_case);
  return name.size() == pattern.size() && begins(name, pattern, any_case);
}

std::optional<std::size_t> longest(const std::vector<std::string>& patterns, std::string_view name,
                                   bool any_case) {
  std::optional<std::size_t> found;
  for (const std::string& pattern : patterns) {
    if (fits(pattern, name, any_case)) found = std::max(found.value_or(0), pattern.size());
  }
  return found;
}

}  // namespace

bool is_name_pattern(std::string_view text) {
  if (text.empty()) return false;
  if (text.ends_with('*')) text.remove_suffix(1);
  return std::ranges::all_of(text, [](char c) { return is_visible(c) && c != '*' && c != ','; });
}

std::optional<std::size_t> NameRules::allowed_by(std::string_view name) const {
  if (name.empty() || !std::ranges::all_of(name, is_visible)) return std::nullopt;
  const auto denied = longest(deny, name, true);
  const auto allowed = longest(allow, name, false);
  if (denied && denied >= allowed) return std::nullopt;
  return allowed;
}

bool NameRules::allows(std::string_view name) const {
  return allowed_by(name).has_value();
}

}  // namespace fanfare::access
