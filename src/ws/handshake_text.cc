#include "ws/handshake_text.h"

#include <algorithm>

namespace fanfare::ws {
namespace {

constexpr char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
}

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

bool is_token_char(char character) {
  if ((character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
      (character >= '0' && character <= '9')) {
    return true;
  }
  return character != '\0' && std::string_view("!#$%&'*+-.^_`|~").contains(character);
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) { return lower(a) == lower(b); });
}

std::string_view trim_space(std::string_view text) {
  constexpr std::string_view kSpace = " \t";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

FoundHeader find_header(std::span<const HeaderField> headers, std::string_view name) {
  FoundHeader found;
  for (const HeaderField& field : headers) {
    if (!equal_ignoring_case(field.name, name)) continue;
    if (found.count == 0) found.value = field.value;
    ++found.count;
  }
  return found;
}

bool list_names(std::span<const HeaderField> headers, std::string_view name, std::string_view token) {
  bool found = false;
  for (const HeaderField& field : headers) {
    if (!equal_ignoring_case(field.name, name)) continue;
    for_each_element(field.value, [&](std::string_view element) {
      found = found || equal_ignoring_case(element, token);
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
    if (!equal_ignoring_case(field.name, name)) continue;
    for_each_element(field.value, [&](std::string_view element) {
      well_formed = well_formed && is_token(element);
      tokens.push_back(element);
      return well_formed;
    });
  }
  if (!well_formed) return std::nullopt;
  return tokens;
}

bool is_header_value(std::string_view text) {
  return std::ranges::none_of(text, [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return (byte < 0x20 && character != '\t') || byte == 0x7f;
  });
}

}  // namespace fanfare::ws
