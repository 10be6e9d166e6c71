#include "http/url.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>

#include "base/text.h"
#include "http/authority.h"
#include "http/headers.h"
#include "http/target.h"

namespace fanfare::http {
namespace {

struct SchemeEntry {
  std::string_view name;
  Scheme scheme;
  std::uint16_t port;
};
constexpr std::array<SchemeEntry, 5> kSchemes{{{"ws", Scheme::ws, 80},
                                               {"wss", Scheme::wss, 443},
                                               {"http", Scheme::http, 80},
                                               {"https", Scheme::https, 443},
                                               {"ws+unix", Scheme::ws_unix, 0}}};

const SchemeEntry& entry_of(Scheme scheme) {
  return *std::ranges::find(kSchemes, scheme, &SchemeEntry::scheme);
}

// A description of the error, without the surrounding text.
using Fault = std::optional<std::string>;

std::string quoted(std::string_view text) {
  return joined({"\"", text, "\""});
}

// `text` in a form that an error may show: a user's password must not appear in a log.
std::string without_password(std::string_view text) {
  const std::size_t slashes = text.find("//");
  const std::size_t from = slashes == std::string_view::npos ? 0 : slashes + 2;
  const std::size_t at = text.substr(0, text.find_first_of("/?#", from)).rfind('@');
  if (at == std::string_view::npos || at < from) return std::string(text);
  return joined({text.substr(0, from), "***", text.substr(at)});
}

bool is_host_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// Parses a number of at most `digits_max` digits that takes up all of the text.
template <typename Number>
std::optional<Number> number_of(std::string_view text, std::size_t digits_max, int base) {
  Number number = 0;
  const char* const end = std::to_address(text.end());
  if (text.size() > digits_max) return std::nullopt;
  const auto read = std::from_chars(std::to_address(text.begin()), end, number, base);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

Fault parse_user(std::string_view text, Url& url) {
  const std::size_t colon = text.find(':');
  auto user = percent_decoded(text.substr(0, colon));
  auto password =
      percent_decoded(colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1));
  if (!user || !password) return "malformed percent escape in the user or the password";
  url.user = std::move(*user);
  url.password = std::move(*password);
  return std::nullopt;
}

Fault parse_port(std::string_view text, Url& url) {
  const auto port = number_of<std::uint16_t>(text, 5, 10);
  if (!port || *port == 0) return joined({"invalid port ", quoted(text), " (expected 1 to 65535)"});
  url.port = *port;
  return std::nullopt;
}

Fault parse_host(std::string_view text, Url& url) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    const std::string_view address = text.substr(1, close == std::string_view::npos ? close : close - 1);
    if (close == std::string_view::npos || !is_ipv6_address(address)) {
      return joined({"invalid IPv6 address ", quoted(text)});
    }
    url.host = address;
    text.remove_prefix(close + 1);
    if (text.empty()) return std::nullopt;
    if (!text.starts_with(':')) return joined({"unexpected ", quoted(text), " after the address"});
    return parse_port(text.substr(1), url);
  }
  const std::size_t colon = text.find(':');
  const std::string_view host = text.substr(0, colon);
  if (host.empty()) return "missing host";
  if (!std::ranges::all_of(host, is_host_byte)) return joined({"invalid host ", quoted(host)});
  url.host = host;
  std::ranges::transform(url.host, url.host.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (colon == std::string_view::npos) return std::nullopt;
  return parse_port(text.substr(colon + 1), url);
}

// Parses the part after "ws+unix:": the socket's absolute path, then, after a colon, the target.
Fault parse_unix(std::string_view text, Url& url) {
  while (text.starts_with("//")) text.remove_prefix(1);  // ws+unix:///run/x.sock is the same socket
  const std::size_t colon = text.find(':');
  const std::string_view path = text.substr(0, colon);
  if (!path.starts_with('/')) return "the socket's path must be absolute";
  if (path.ends_with('/')) return "the socket's path names no file";
  url.socket_path = path;
  url.host = "localhost";
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view target = text.substr(colon + 1);
  if (!target.empty() && !target.starts_with('/')) return "the path after the socket must begin with \"/\"";
  if (!target.empty()) url.target = escaped_target(target);
  return std::nullopt;
}

Fault parse_into(std::string_view text, std::string_view expected_schemes, Url& url) {
  const auto forbidden = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; };
  if (std::ranges::any_of(text, forbidden)) return "space or control byte";
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const auto* const known = std::ranges::find_if(
      kSchemes, [&](const SchemeEntry& e) { return equals_ignoring_case(e.name, name); });
  if (colon == std::string_view::npos || known == kSchemes.end()) {
    const bool has_scheme = text.find("://") != std::string_view::npos;
    const std::string what = has_scheme ? joined({"unknown scheme ", quoted(name)}) : "missing scheme";
    return joined({what, " (expected ", expected_schemes, ")"});
  }
  // RFC6455§3: fragments have no meaning here and must not be used.
  if (text.find('#') != std::string_view::npos) return "a fragment (\"#\") is not allowed";
  url.scheme = known->scheme;
  url.port = known->port;
  std::string_view rest = text.substr(colon + 1);
  if (url.scheme == Scheme::ws_unix) return parse_unix(rest, url);

  if (!rest.starts_with("//")) return "expected \"//\" after the scheme";
  rest.remove_prefix(2);
  const std::size_t slash = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) {
    const std::string target = escaped_target(rest.substr(slash));
    url.target = joined({target.starts_with('?') ? "/" : "", target});
  }
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    if (Fault fault = parse_user(authority.substr(0, at), url)) return fault;
    authority.remove_prefix(at + 1);
  }
  return parse_host(authority, url);
}

}  // namespace

std::string_view scheme_name(Scheme scheme) {
  return entry_of(scheme).name;
}

std::string Url::authority() const {
  std::string made = is_ipv6() ? joined({"[", host, "]"}) : host;
  if (port != entry_of(scheme).port) made += joined({":", std::to_string(port)});
  return made;
}

std::string Url::text() const {
  if (scheme == Scheme::ws_unix) return joined({scheme_name(scheme), ":", socket_path, ":", target});
  return joined({scheme_name(scheme), "://", authority(), target});
}

std::expected<Url, std::string> parse_url(std::string_view text, std::string_view expected_schemes) {
  Url url;
  if (Fault fault = parse_into(text, expected_schemes, url)) {
    return std::unexpected(joined({"invalid URL ", quoted(without_password(text)), ": ", *fault}));
  }
  return url;
}

}  // namespace fanfare::http
