#pragma once
// The addresses that a client accepts: RFC 3986 as far as ws, wss (RFC6455§3), http and https use it, and
// ws+unix for a socket in the file system.
//
//   wss://user:secret@example.com:8443/path?query        http://[::1]:8545
//   ws+unix:/run/fanfare.sock:/path?query

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace fanfare::http {

enum class Scheme { ws, wss, http, https, ws_unix };

std::string_view scheme_name(Scheme scheme);

struct Url {
  Scheme scheme = Scheme::ws;
  std::string user;        // percent-decoded; empty if there is none
  std::string password;    // percent-decoded
  std::string host;        // lower case; an IPv6 address without its brackets; "localhost" for ws+unix
  std::uint16_t port = 0;  // the scheme's default if none is given; 0 for ws+unix
  // Path and query as sent in the request line: invalid bytes are percent-encoded.
  std::string target = "/";
  std::string socket_path;  // ws+unix only

  bool is_tls() const { return scheme == Scheme::wss || scheme == Scheme::https; }
  bool is_websocket() const { return scheme != Scheme::http && scheme != Scheme::https; }
  bool is_ipv6() const { return host.find(':') != std::string::npos; }
  // The value of the Host header: "host", "host:port" if it is not the scheme's default, "[::1]:port".
  std::string authority() const;
  // The complete address without user and password, suitable for a log.
  std::string text() const;
};

// The error describes the problem and quotes the text, without a possible password:
//   invalid URL "ftp://x": unknown scheme "ftp" (expected ws, wss, http, https or ws+unix)
// `expected_schemes` lists the schemes useful to the caller, for that error only: all schemes are parsed.
std::expected<Url, std::string> parse_url(
    std::string_view text, std::string_view expected_schemes = "ws, wss, http, https or ws+unix");

}  // namespace fanfare::http
