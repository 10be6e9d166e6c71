#include "http/cookies.h"

#include <algorithm>
#include <cstddef>

namespace fanfare::http {
namespace {

void add_cookies(std::string_view text, std::vector<CookiePair>& cookies) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = trim_space(pair.substr(0, equals));
    if (!name.empty()) cookies.push_back({.name = name, .value = trim_space(pair.substr(equals + 1))});
  }
}

}  // namespace

std::vector<CookiePair> cookies_of(Headers headers) {
  std::vector<CookiePair> cookies;
  for (const HeaderField& field : headers) {
    if (equals_ignoring_case(field.name, "cookie")) add_cookies(field.value, cookies);
  }
  return cookies;
}

}  // namespace fanfare::http
