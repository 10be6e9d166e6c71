#include "ws/handshake_text.h"

#include <algorithm>

namespace fanfare::ws {
namespace {

// Calls visit(element) for each non-empty element until it returns false.
template <typename Visit>
void for_each_element(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view element = trim_space(list.substr(0, comma));
    if (!element.empty() && !visit(element)) return;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

}  // namespace

FoundHeader find_header(std::span<const HeaderField> headers, std::string_view name) {
  FoundHeader found;
  for (const HeaderField& field : headers) {
    if (!equals_ignoring_case(field.name, name)) continue;
    if (found.count == 0) found.value = field.value;
    ++found.count;
  }
  return found;
}

bool list_names(std::span<const HeaderField> headers, std::string_view name, std::string_view token) {
  bool found = false;
  for (const HeaderField& field : headers) {
    if (!equals_ignoring_case(field.name, name)) continue;
    for_each_element(field.value, [&](std::string_view element) {
      found = found || equals_ignoring_case(element, token);
      return !found;
    });
  }
  return found;
}

std::optional<std::vector<std::string_view>> list_tokens(std::span<const HeaderField> headers,
                                                         std::string_view name) {
  std::vector<std::string_view> tokens;
  bool well_formed = true;
  for (const HeaderField& field : headers) {
    if (!equals_ignoring_case(field.name, name)) continue;
    for_each_element(field.value, [&](std::string_view element) {
      well_formed = well_formed && is_token(element);
      tokens.push_back(element);
      return well_formed;
    });
  }
  if (!well_formed) return std::nullopt;
  return tokens;
}

}  // namespace fanfare::ws
