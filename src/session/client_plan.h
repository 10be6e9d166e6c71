#pragma once
// Parsed options: everything that a connection attempt needs. Created once for many attempts.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "http/url.h"
#include "net/socket.h"
#include "net/tls.h"
#include "session/client_options.h"
#include "ws/handshake_client.h"

namespace fanfare::session {

struct ClientPlan {
  http::Url url;
  // The host to connect to: the server or the proxy. Not used for ws+unix.
  std::string connect_host;
  std::uint16_t connect_port = 0;
  // With a proxy: the requested "host:port", and its Proxy-Authorization, if any.
  std::string tunnel_to;
  std::string proxy_authorization;
  ws::ClientHandshakeOptions handshake;
  // For wss URLs; null for others.
  std::shared_ptr<const net::TlsContext> tls{};
  std::string tls_server_name;
  Duration connect_timeout{};
  Duration handshake_timeout{};
};

// Errors: bad_url, bad_option.
std::expected<ClientPlan, ClientError> make_client_plan(const ClientOptions& options);

// The addresses to try, in order, if no name has to be resolved; empty otherwise.
std::vector<net::Address> known_addresses(const ClientPlan& plan);

}  // namespace fanfare::session
