#pragma once
// What a client is told: where to go, what to say, how long to wait, when to come back.

#include <functional>
#include <string>
#include <vector>

#include "net/tls_protocol.h"
#include "session/backoff.h"
#include "session/client_error.h"
#include "session/endpoint.h"
#include "session/settings.h"
#include "ws/deflate_options.h"
#include "ws/handshake.h"

namespace fanfare::session {

// Of wss:// URLs.
struct ClientTlsOptions {
  bool verify = true;       // the chain and the name; false: anyone may answer
  std::string ca_file;      // PEM, instead of the system's authorities
  std::string server_name;  // SNI, and the name that is verified; empty: the URL's host
  net::TlsProtocol protocol{};
};

// Whether a failure or a close may pass by itself, so that coming back makes sense: the network, a restart
// (1012), overload (1013, 429, 5xx), silence. Not what would only happen again: 1000, a broken rule, 404.
bool is_worth_retrying(const CloseInfo& info);
bool is_worth_retrying(const ClientError& error);

struct ReconnectOptions {
  bool enabled = true;
  BackoffOptions backoff;
  // Reconnections in a row without a stable connection between them; 0: no limit.
  unsigned attempts_max = 0;
  // A connection that lasted this long makes the backoff start anew. A server that accepts and drops at once
  // is not called on any faster than one that is down.
  Duration stable_after = std::chrono::seconds(10);
  // Instead of is_worth_retrying().
  std::function<bool(const CloseInfo&)> retry_close;
  std::function<bool(const ClientError&)> retry_failure;
};

struct ClientOptions {
  // ws://, wss:// or ws+unix:; a user and password in it become basic authorisation.
  std::string url;
  std::vector<ws::OwnedHeader> headers;
  std::vector<std::string> subprotocols;  // in order of preference
  std::string origin;                     // empty: no Origin header
  // The server's window is left to the server: some ignore that a smaller one was asked for, and the
  // handshake would fail (RFC7692§7.1.2.1).
  ws::DeflateOptions deflate{.server_max_window_bits = ws::kWindowBitsMax};
  // The heartbeat is the watchdog: a peer that is silent for pong_timeout after a ping is given up.
  SessionSettings session;
  // Looking up the name and trying its addresses, all together.
  Duration connect_timeout = std::chrono::seconds(10);
  // From there to the open WebSocket: proxy, TLS, upgrade.
  Duration handshake_timeout = std::chrono::seconds(10);
  // http://user:password@host:port of a proxy to CONNECT through; empty: none.
  std::string proxy;
  ClientTlsOptions tls;
  ReconnectOptions reconnect;
};

}  // namespace fanfare::session
