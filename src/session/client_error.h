#pragma once
// Why a client's connection did not come about.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ws/rules.h"

namespace fanfare::session {

enum class ClientFailure : std::uint8_t {
  bad_url,
  bad_option,       // something of the options cannot stand in a request, or does not fit the URL
  unresolvable,     // no address for the host
  connect_failed,   // refused, unreachable, no such socket: os_error says which
  timed_out,        // connect_timeout or handshake_timeout
  proxy_refused,    // the proxy did not answer CONNECT with 2xx: status
  tls_failed,       // the certificate is not trusted, or no common ground
  connection_lost,  // reset or closed before the handshake was answered
  rejected,         // an honest HTTP answer other than 101: status
  rule_broken,      // the answer breaks a rule of the handshake, or is no HTTP
  cancelled,        // by our own side
};
std::string_view name_of(ClientFailure failure);

struct ClientError {
  ClientFailure failure = ClientFailure::cancelled;
  std::string text{};              // for people: what failed, and the value it failed on
  int status = 0;                  // HTTP: rejected, proxy_refused
  int os_error = 0;                // errno: connect_failed, connection_lost
  std::optional<ws::Rule> rule{};  // rule_broken, when it is one of the WebSocket's
  bool was_connected = false;      // TCP stood: another address of the host will hardly do better
};

}  // namespace fanfare::session
