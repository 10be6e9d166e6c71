#include "server/cors.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace fanfare::server {
namespace {

constexpr std::array<std::string_view, 5> kAllowedHeaders{"Content-Type", "Authorization", "X-API-Key",
                                                          "X-Requested-With", "Accept"};

bool is_listed(const std::vector<std::string_view>& names, std::string_view name) {
  return std::ranges::any_of(names,
                             [&](std::string_view one) { return http::equals_ignoring_case(one, name); });
}

// Our own header names, then those of Access-Control-Request-Headers, each once. Invalid names are left out.
std::string allowed_headers(http::Headers headers) {
  std::vector<std::string_view> names(kAllowedHeaders.begin(), kAllowedHeaders.end());
  std::string_view asked = http::find_header(headers, "Access-Control-Request-Headers").value_or("");
  while (!asked.empty() && names.size() < kAllowedHeaders.size() + kAskedHeadersMax) {
    const std::size_t comma = asked.find(',');
    const std::string_view name = http::trim_space(asked.substr(0, comma));
    asked.remove_prefix(comma == std::string_view::npos ? asked.size() : comma + 1);
    if (http::is_token(name) && !is_listed(names, name)) names.push_back(name);
  }
  std::string text;
  for (const std::string_view name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

}  // namespace

std::vector<ws::OwnedHeader> cors_headers(const BrowserRules& rules, http::Headers headers) {
  std::vector<ws::OwnedHeader> out;
  if (auto origin = rules.allowed_origin(headers)) {
    out.push_back({.name = "Access-Control-Allow-Origin", .value = *std::move(origin)});
  }
  if (!rules.any_origin()) out.push_back({.name = "Vary", .value = "Origin"});
  return out;
}

std::vector<ws::OwnedHeader> preflight_headers(const BrowserRules& rules, http::Headers headers,
                                               bool changes) {
  std::vector<ws::OwnedHeader> out;
  out.push_back({.name = "Access-Control-Allow-Methods",
                 .value = changes ? "GET, POST, PUT, DELETE, OPTIONS" : "GET, POST, OPTIONS"});
  out.push_back({.name = "Access-Control-Allow-Headers", .value = allowed_headers(headers)});
  out.push_back({.name = "Access-Control-Max-Age", .value = "86400"});
  // Granted only to pages that the operator has named: a browser asks before it lets a public page access a
  // private network, and "every page" must not grant that. https://wicg.github.io/private-network-access/
  if (http::find_header(headers, "Access-Control-Request-Private-Network") == "true" &&
      rules.caller_of(headers) == Caller::known_page) {
    out.push_back({.name = "Access-Control-Allow-Private-Network", .value = "true"});
  }
  return out;
}

}  // namespace fanfare::server
