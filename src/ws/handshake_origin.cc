// RFC6455§10.2: which Origins a server accepts. Declared in ws/handshake.h.

#include <algorithm>

#include "base/uri.h"
#include "ws/handshake.h"
#include "ws/handshake_text.h"

namespace fanfare::ws {
namespace {

struct Origin {
  std::string_view scheme;
  std::string_view host;  // with the brackets of an IPv6 address
  std::string_view port;  // the scheme's default if none is given
};

// Empty if the text is not scheme://host[:port]: "null", a path after the host, an empty host.
std::optional<Origin> split_origin(std::string_view text) {
  const auto parts = split_origin_uri(text);
  if (!parts || parts->authority.find_first_of(" \t") != std::string_view::npos) return std::nullopt;
  Origin origin{.scheme = parts->scheme, .host = parts->authority, .port = {}};
  const std::size_t bracket = origin.host.rfind(']');
  const std::size_t colon = origin.host.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    origin.port = origin.host.substr(colon + 1);
    origin.host = origin.host.substr(0, colon);
  }
  if (origin.host.empty()) return std::nullopt;
  if (origin.port.empty()) origin.port = equals_ignoring_case(origin.scheme, "https") ? "443" : "80";
  return origin;
}

bool host_matches(std::string_view host, std::string_view pattern) {
  if (!pattern.starts_with("*.")) return equals_ignoring_case(host, pattern);
  const std::string_view suffix = pattern.substr(1);  // with its dot: evilexample.com is not *.example.com
  return host.size() > suffix.size() &&
         equals_ignoring_case(host.substr(host.size() - suffix.size()), suffix);
}

}  // namespace

bool is_origin_pattern(std::string_view text) {
  return text == "*" || text == "null" || split_origin(text);
}

bool origin_allowed(std::string_view origin, std::span<const std::string> patterns) {
  const std::optional<Origin> asked = split_origin(origin);
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    if (pattern == "*") return true;
    // Not of the usual form, such as the "null" of a sandboxed page: allowed only by an identical pattern.
    const std::optional<Origin> allowed = split_origin(pattern);
    if (!asked || !allowed) return pattern == origin;
    return equals_ignoring_case(asked->scheme, allowed->scheme) && asked->port == allowed->port &&
           host_matches(asked->host, allowed->host);
  });
}

}  // namespace fanfare::ws
