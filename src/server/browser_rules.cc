#include "server/browser_rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/uri.h"

namespace fanfare::server {
namespace {

constexpr std::string_view kAny = "*";
constexpr std::string_view kLoopback = "loopback";
constexpr std::string_view kNull = "null";
constexpr std::size_t kNameBytesMax = 255;

std::string lower(std::string_view text) {
  std::string copy(text);
  std::ranges::transform(copy, copy.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; });
  return copy;
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.';
}

// A valid port number, digits only.
bool is_port(std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return error == std::errc() && end == digits.data() + digits.size();
}

bool is_ipv6(std::string_view address, in6_addr& out) {
  return inet_pton(AF_INET6, std::string(address).c_str(), &out) == 1;
}

// A name, an IPv4 address, or an IPv6 address in brackets.
bool is_host(std::string_view host) {
  if (host.size() > kNameBytesMax) return false;
  if (host.starts_with('[')) {
    in6_addr address{};
    return host.ends_with(']') && is_ipv6(host.substr(1, host.size() - 2), address);
  }
  return !host.empty() && std::ranges::all_of(host, is_name_byte);
}

struct Authority {
  std::string_view host;
  std::string_view port;  // digits; empty: none
  bool has_port = false;
};

// RFC3986§3.2, without userinfo: Host and Origin never contain it, and it would hide the host.
std::optional<Authority> split_authority(std::string_view text) {
  const std::size_t after = text.starts_with('[') ? text.find(']') : 0;
  if (after == std::string_view::npos) return std::nullopt;
  const std::size_t colon = text.find(':', after);
  Authority out{.host = text.substr(0, colon), .port = {}};
  if (colon != std::string_view::npos) {
    out.has_port = true;
    out.port = text.substr(colon + 1);
  }
  if (!is_host(out.host)) return std::nullopt;
  return out;
}

std::string_view without_last_dot(std::string_view host) {
  if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
  return host;
}

// "*.name" or "name".
bool is_host_or_wildcard(std::string_view text) {
  if (text.starts_with("*.")) {
    text.remove_prefix(2);
    return !text.starts_with('[') && is_host(text);
  }
  return is_host(text);
}

// RFC6454§6.2: scheme "://" host [":" port], nothing else.
std::optional<UriParts> split_origin(std::string_view text) {
  const auto parts = split_origin_uri(text);
  const auto is_scheme_byte = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
  };
  if (!parts || !std::ranges::all_of(parts->scheme, is_scheme_byte)) return std::nullopt;
  return parts;
}

bool is_web(std::string_view scheme) {
  return http::equals_ignoring_case(scheme, "http") || http::equals_ignoring_case(scheme, "https");
}

// RFC6454§6.2: an origin omits the scheme's default port.
std::string_view own_port(std::string_view scheme) {
  if (scheme == "http" || scheme == "ws") return ":80";
  if (scheme == "https" || scheme == "wss") return ":443";
  return "";
}

}  // namespace

bool is_loopback_name(std::string_view host) {
  if (host.starts_with('[')) {
    in6_addr address{};
    if (!host.ends_with(']') || !is_ipv6(host.substr(1, host.size() - 2), address)) return false;
    return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
  }
  const std::string name = lower(without_last_dot(host));
  in_addr address{};
  if (inet_pton(AF_INET, name.c_str(), &address) == 1) return (ntohl(address.s_addr) >> 24U) == 127;
  if (!std::ranges::all_of(name, is_name_byte)) return false;
  return name == "localhost" || (name.ends_with(".localhost") && name.size() > std::strlen(".localhost"));
}

bool is_host_pattern(std::string_view text) {
  return text == kAny || text == kLoopback || is_host_or_wildcard(text);
}

bool is_origin_pattern(std::string_view text) {
  if (text == kAny || text == kLoopback || text == kNull) return true;
  const auto parts = split_origin(text);
  if (!parts) return false;
  std::string_view host = parts->authority;
  if (host == kAny) return true;
  const std::size_t colon = host.find(':', host.starts_with('[') ? std::min(host.find(']'), host.size()) : 0);
  if (colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    if (port != kAny && !is_port(port)) return false;
    host = host.substr(0, colon);
  }
  return is_host_or_wildcard(host);
}

BrowserRules::OriginPattern BrowserRules::origin_pattern(std::string_view text) {
  const auto parts = split_origin(text);
  OriginPattern pattern{.scheme = lower(parts->scheme), .host = {}, .port = {}};
  std::string host = lower(parts->authority);
  if (host == kAny) {
    pattern.any_host = true;
    return pattern;
  }
  const std::size_t colon = host.find(':', host.starts_with('[') ? host.find(']') : 0);
  if (colon != std::string::npos) {
    pattern.port = host.substr(colon);
    host.resize(colon);
    if (pattern.port == own_port(pattern.scheme)) pattern.port.clear();
  }
  pattern.host.with_subnames = host.starts_with("*.");
  pattern.host.name = pattern.host.with_subnames ? host.substr(1) : host;
  return pattern;
}

BrowserRules::BrowserRules(const BrowserOptions& options, bool on_loopback) : setting_names_(options.names) {
  const std::vector<std::string> by_default{std::string(on_loopback ? kLoopback : kAny)};
  for (const std::string& text : options.hosts.empty() ? by_default : options.hosts) {
    if (text == kAny) {
      any_host_ = true;
    } else if (text == kLoopback) {
      loopback_hosts_ = true;
    } else {
      const bool wildcard = text.starts_with("*.");
      hosts_.push_back(
          {.name = lower(without_last_dot(wildcard ? text.substr(1) : text)), .with_subnames = wildcard});
    }
  }
  for (const std::string& text : options.origins.empty() ? by_default : options.origins) {
    if (text == kAny) {
      any_origin_ = true;
    } else if (text == kLoopback) {
      loopback_origins_ = true;
    } else if (text == kNull) {
      null_origin_ = true;
    } else {
      origins_.push_back(origin_pattern(text));
    }
  }
}

bool BrowserRules::matches(const HostPattern& pattern, std::string_view host) {
  if (!pattern.with_subnames) return host == pattern.name;
  return host.size() > pattern.name.size() && host.ends_with(pattern.name);
}

bool BrowserRules::serves_authority(std::string_view authority) const {
  const auto parts = split_authority(authority);
  if (!parts || (parts->has_port && !parts->port.empty() && !is_port(parts->port))) return false;
  if (loopback_hosts_ && is_loopback_name(parts->host)) return true;
  const std::string host = lower(without_last_dot(parts->host));
  return std::ranges::any_of(hosts_, [&](const HostPattern& one) { return matches(one, host); });
}

bool BrowserRules::serves_host(std::string_view target, http::Headers headers) const {
  if (any_host_) return true;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!http::equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    if (!serves_authority(rest.substr(0, rest.find_first_of("/?#")))) return false;
  }
  const auto host = http::find_header(headers, "Host");
  return !host || serves_authority(*host);
}

bool BrowserRules::names(std::string_view origin) const {
  if (origin == kNull) return null_origin_;
  const auto parts = split_origin(origin);
  if (!parts) return false;
  const auto authority = split_authority(parts->authority);
  if (!authority || (authority->has_port && !is_port(authority->port))) return false;
  if (loopback_origins_ && is_web(parts->scheme) && is_loopback_name(authority->host)) return true;
  const std::string scheme = lower(parts->scheme);
  const std::string host = lower(authority->host);
  std::string port;
  if (authority->has_port) port.append(":").append(authority->port);
  if (port == own_port(scheme)) port.clear();
  return std::ranges::any_of(origins_, [&](const OriginPattern& one) {
    if (one.scheme != scheme) return false;
    return one.any_host || (matches(one.host, host) && (one.port == ":*" || one.port == port));
  });
}

Caller BrowserRules::caller_of(http::Headers headers) const {
  const auto origin = http::find_header(headers, "Origin");
  if (!origin) {
    // Form posts of old browsers may have no Origin. https://www.w3.org/TR/fetch-metadata/
    const auto service = http::find_header(headers, "Sec-Fetch-Site");
    if (!service || !http::equals_ignoring_case(*service, "cross-site")) return Caller::program;
    return any_origin_ ? Caller::unknown_page : Caller::foreign_page;
  }
  if (http::count_headers(headers, "Origin") == 1 && names(*origin)) return Caller::known_page;
  return any_origin_ ? Caller::unknown_page : Caller::foreign_page;
}

std::optional<std::string> BrowserRules::allowed_origin(http::Headers headers) const {
  if (any_origin_) return std::string(kAny);
  const auto origin = http::find_header(headers, "Origin");
  if (!origin || caller_of(headers) != Caller::known_page) return std::nullopt;
  return std::string(*origin);
}

}  // namespace fanfare::server
