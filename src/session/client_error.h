#pragma once
// Why a client's connection could not be established.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ws/rules.h"

namespace fanfare::session {

enum class ClientFailure : std::uint8_t {
  bad_url,
  bad_option,       // an option cannot be put into a request, or does not fit the URL
  unresolvable,     // no address for the host
  connect_failed,   // refused, unreachable, no such socket: see os_error
  timed_out,        // connect_timeout or handshake_timeout
  proxy_refused,    // the proxy did not answer CONNECT with 2xx: status
  tls_failed,       // the certificate is not trusted, or no common version or cipher
  connection_lost,  // reset or closed before the handshake was answered
  rejected,         // a regular HTTP response other than 101: status
  rule_broken,      // the response violates a handshake rule, or is not HTTP
  cancelled,        // by our own side
};
std::string_view name_of(ClientFailure failure);

struct ClientError {
  ClientFailure failure = ClientFailure::cancelled;
  std::string text{};              // for people: what failed, and the value concerned
  int status = 0;                  // HTTP: rejected, proxy_refused
  int os_error = 0;                // errno: connect_failed, connection_lost
  std::optional<ws::Rule> rule{};  // rule_broken, if it is a WebSocket rule
  bool was_connected = false;      // TCP was connected: another address of the host is unlikely to help
};

}  // namespace fanfare::session
