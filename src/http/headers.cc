#include "http/headers.h"

#include <algorithm>

namespace fanfare::http {

std::optional<std::string_view> find_header(Headers headers, std::string_view name) {
  for (const HeaderField& field : headers) {
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::size_t count_headers(Headers headers, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::count_if(
      headers, [name](const HeaderField& field) { return equals_ignoring_case(field.name, name); }));
}

bool header_has_token(Headers headers, std::string_view name, std::string_view token) {
  for (const HeaderField& field : headers) {
    if (!equals_ignoring_case(field.name, name)) continue;
    std::string_view rest = field.value;
    while (true) {
      const std::size_t comma = rest.find(',');
      if (equals_ignoring_case(trim_space(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

}  // namespace fanfare::http
