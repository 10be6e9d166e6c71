#pragma once
// A client's options: where to connect, what to send, how long to wait, when to reconnect.

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

// For wss:// URLs.
struct ClientTlsOptions {
  bool verify = true;       // the chain and the name; false: any server is accepted
  std::string ca_file;      // PEM, replaces the system's authorities
  std::string server_name;  // for SNI and verification; empty: the URL's host
  net::TlsProtocol protocol{};
};

// Whether a failure or a close may be temporary, so that reconnecting makes sense: the network, a restart
// (1012), overload (1013, 429, 5xx), silence. Not if it would recur: 1000, a protocol violation, 404.
bool is_worth_retrying(const CloseInfo& info);
bool is_worth_retrying(const ClientError& error);

struct ReconnectOptions {
  bool enabled = true;
  BackoffOptions backoff;
  // Consecutive reconnections without a stable connection in between; 0: no limit.
  unsigned attempts_max = 0;
  // A connection that lasted this long resets the backoff. So a server that accepts and drops immediately is
  // not contacted more often than one that is down.
  Duration stable_after = std::chrono::seconds(10);
  // Replace is_worth_retrying().
  std::function<bool(const CloseInfo&)> retry_close;
  std::function<bool(const ClientError&)> retry_failure;
};

struct ClientOptions {
  // ws://, wss:// or ws+unix:; a user and password in the URL are sent as basic authorisation.
  std::string url;
  std::vector<ws::OwnedHeader> headers;
  std::vector<std::string> subprotocols;  // in order of preference
  std::string origin;                     // empty: no Origin header
  // The server chooses its own window. Some servers ignore a request for a smaller one, and then the
  // handshake would fail (RFC7692§7.1.2.1).
  ws::DeflateOptions deflate{.server_max_window_bits = ws::kWindowBitsMax};
  // The heartbeat is the watchdog: a peer that is silent for pong_timeout after a ping is dropped.
  SessionSettings session;
  // For resolving the name and trying its addresses, in total.
  Duration connect_timeout = std::chrono::seconds(10);
  // From there until the WebSocket is open: proxy, TLS, upgrade.
  Duration handshake_timeout = std::chrono::seconds(10);
  // http://user:password@host:port of a proxy for CONNECT; empty: none.
  std::string proxy;
  ClientTlsOptions tls;
  ReconnectOptions reconnect;
};

}  // namespace fanfare::session
