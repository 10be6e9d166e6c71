#include "http/target.h"

#include <algorithm>

namespace fanfare::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Hands every part of `text` between separators to `take` until it says no.
template <typename Take>
bool split(std::string_view text, char separator, Take take) {
  while (true) {
    const std::size_t end = text.find(separator);
    if (!take(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::string> form_decoded(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '+', ' ');
  return percent_decoded(spaced);
}

}  // namespace

std::optional<std::string_view> Target::parameter(std::string_view name) const {
  const auto found = std::ranges::find(parameters, name, &Parameter::name);
  if (found == parameters.end()) return std::nullopt;
  return found->value;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

std::optional<Target> parse_target(std::string_view path, std::string_view query) {
  Target target;
  if (path.starts_with('/')) path.remove_prefix(1);
  const bool path_good = path.empty() || split(path, '/', [&](std::string_view part) {
                           auto segment = percent_decoded(part);
                           if (!segment) return false;
                           target.segments.push_back(std::move(*segment));
                           return true;
                         });
  if (!path_good) return std::nullopt;
  const bool query_good = split(query, '&', [&](std::string_view part) {
    if (part.empty()) return true;
    const std::size_t equals = part.find('=');
    auto name = form_decoded(part.substr(0, equals));
    auto value =
        form_decoded(equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1));
    if (!name || !value) return false;
    target.parameters.push_back({.name = std::move(*name), .value = std::move(*value)});
    return true;
  });
  if (!query_good) return std::nullopt;
  return target;
}

}  // namespace fanfare::http
