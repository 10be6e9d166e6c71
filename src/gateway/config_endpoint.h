#pragma once
// Checks the URLs of upstreams and the addresses to listen on, for the configuration and the command line.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace fanfare::gateway {

// RFC3986§3: scheme http, https, ws or wss; a host, in brackets if it is an IPv6 address; a port from 1 to
// 65535 if there is one; no fragment, no spaces. The error names the problem ("has no host").
std::expected<void, std::string> check_endpoint(std::string_view url);

// A URL, good or not, for messages: "https://***@host:8545/***". The scheme, host and port are shown if they have the form of
// one, and a value that is one variable is shown as it is written. User, password, path and query are never shown, since
// any of them may be a secret. Empty: nothing of it can be shown.
std::string endpoint_for_message(std::string_view written);

// Whether a URL that passed check_endpoint() uses WebSocket.
bool is_websocket_endpoint(std::string_view url);

inline constexpr std::uint64_t kPortMax = 65535;
// Whether it is a valid address to listen on: an IPv4 or IPv6 address without brackets, or "localhost".
bool is_listen_address(std::string_view host);
// Only this machine can connect to such a listen address.
bool is_loopback_address(std::string_view host);

}  // namespace fanfare::gateway
