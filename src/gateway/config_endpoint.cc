#include "gateway/config_endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/config_env.h"
#include "net/socket.h"
#include "upstream/http_node.h"

namespace fanfare::gateway {
namespace {

constexpr std::array<std::string_view, 4> kSchemes{"http://", "https://", "ws://", "wss://"};

// The length of the scheme with its slashes, or zero.
std::size_t scheme_length(std::string_view url) {
  for (const std::string_view scheme : kSchemes) {
    if (url.starts_with(scheme)) return scheme.size();
  }
  return 0;
}

template <int Family, std::size_t Size>
bool is_address(std::string_view text) {
  std::array<unsigned char, Size> address{};
  return inet_pton(Family, std::string(text).c_str(), address.data()) == 1;
}

bool is_label_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// An IPv4 address also has this form.
bool is_host_name(std::string_view text) {
  if (text.size() > 253) return false;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > 63 || !std::ranges::all_of(label, is_label_byte)) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
    if (text.empty()) return true;  // the trailing dot of a fully qualified name
  }
}

std::expected<void, std::string> check_port(std::string_view digits) {
  unsigned port = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || port == 0 || port > 65535) {
    return std::unexpected("has a port that is not 1 to 65535");
  }
  return {};
}

// Between the scheme and the path.
std::string_view authority_of(std::string_view url) {
  url.remove_prefix(scheme_length(url));
  return url.substr(0, url.find_first_of("/?"));
}

std::string_view without_user(std::string_view authority) {
  const std::size_t at = authority.rfind('@');
  return at == std::string_view::npos ? authority : authority.substr(at + 1);
}

bool is_scheme_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// "${NAME}", without a default.
bool is_one_variable(std::string_view text) {
  if (!text.starts_with("${") || !text.ends_with('}')) return false;
  text = text.substr(2, text.size() - 3);
  return !text.empty() && is_conventional_variable(text);
}

bool is_port_like(std::string_view text) {
  constexpr std::size_t kDigitsMax = 6;  // one more than any port has
  return text.size() <= kDigitsMax && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_host_like(std::string_view text) {
  if (is_host_name(text)) return true;
  return text.size() > 2 && text.contains(':') && text.starts_with('[') && text.ends_with(']') &&
         std::ranges::all_of(text.substr(1, text.size() - 2), [](char c) {
           return is_scheme_letter(c) || (c >= '0' && c <= '9') || c == ':' || c == '.';
         });
}

}  // namespace

namespace {

std::expected<void, std::string> check_parts(std::string_view url) {
  if (url.empty()) return std::unexpected("is empty");
  const bool visible = std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
  if (!visible) return std::unexpected("has a space or a byte that a URL cannot have");
  if (scheme_length(url) == 0) return std::unexpected("has no supported scheme");
  if (url.contains('#')) return std::unexpected("has a fragment (#)");

  // RFC3986§3.2.1: a second one belongs to the user or the password, and readers differ about where the host begins.
  if (std::ranges::count(authority_of(url), '@') > 1) {
    return std::unexpected("has a user or password with @, which is written %40");
  }
  const std::string_view authority = without_user(authority_of(url));
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos || !is_address<AF_INET6, 16>(authority.substr(1, end - 1))) {
      return std::unexpected("has a malformed IPv6 address");
    }
    const std::string_view rest = authority.substr(end + 1);
    if (rest.empty()) return {};
    if (!rest.starts_with(':')) return std::unexpected("has a malformed IPv6 address");
    return check_port(rest.substr(1));
  }
  const std::size_t colon = authority.find(':');
  const std::string_view host = authority.substr(0, colon);
  if (host.empty()) return std::unexpected("has no host");
  if (!is_host_name(host)) return std::unexpected("has a malformed host");
  if (colon == std::string_view::npos) return {};
  return check_port(authority.substr(colon + 1));
}

}  // namespace

std::expected<void, std::string> check_endpoint(std::string_view url) {
  auto good = check_parts(url);
  if (!good || is_websocket_endpoint(url)) return good;
  // What a node could not be made from.
  if (auto problem = upstream::problem_with({.url = std::string(url)}))
    return std::unexpected("is refused: " + *problem);
  return {};
}

std::string endpoint_for_message(std::string_view written) {
  constexpr std::string_view kHidden = "***";
  constexpr std::size_t kSchemeBytesMax = 8;
  if (is_one_variable(written)) return std::string(written);
  const std::size_t scheme = written.find("://");
  if (scheme == 0 || scheme > kSchemeBytesMax ||
      !std::ranges::all_of(written.substr(0, scheme), is_scheme_letter)) {
    return "";
  }
  std::string shown(written.substr(0, scheme + 3));
  written.remove_prefix(scheme + 3);
  std::string_view authority = written.substr(0, written.find_first_of("/?#"));
  const std::string_view rest = written.substr(authority.size());
  // A password with a slash: what looks like a host and its port are parts of it.
  if (rest.contains('@')) return shown + std::string(kHidden);
  if (authority.contains('@')) shown += std::string(kHidden) + "@";
  authority = without_user(authority);
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && is_port_like(authority.substr(colon + 1));
  const std::string_view host = has_port ? authority.substr(0, colon) : authority;
  shown += host.empty() || is_host_like(host) ? host : kHidden;
  if (has_port) shown += authority.substr(colon);
  if (rest.size() > 1) {
    shown += rest.front();
    shown += kHidden;
  } else {
    shown += rest;
  }
  return shown;
}

bool is_websocket_endpoint(std::string_view url) {
  return url.starts_with("ws://") || url.starts_with("wss://");
}

bool is_listen_address(std::string_view host) {
  return host == "localhost" || is_address<AF_INET, 4>(host) || is_address<AF_INET6, 16>(host);
}

bool is_loopback_address(std::string_view host) {
  const auto address = net::Address::parse(host, 0);
  return address && address->is_loopback();
}

}  // namespace fanfare::gateway
