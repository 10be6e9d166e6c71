#pragma once
// Which sockets a plan's listeners become: those it opens, and those a service manager passed on.

#include <expected>
#include <span>
#include <string>

#include "gateway/serve_plan.h"
#include "net/inherited_sockets.h"
#include "session/server.h"

namespace fanfare::gateway {

// The name under which a socket is passed for a surface: "http", "websocket", "metrics".
std::string_view socket_name(Surface surface);

// Replaces listeners of the plan by the sockets that were passed for them, one listener for each. A socket
// with another name, or none, is one more for the first listener's surface. A surface that got none opens its
// own.
void take_inherited(ServePlan& plan, std::span<const net::InheritedSocket> sockets);

// Whether only this machine can connect, and browsers on it do so directly. A Unix socket and a listener
// behind PROXY headers are for proxies, whose clients may be anywhere.
bool is_on_loopback(const ListenerPlan& plan);

// The certificate of a listener with TLS, as net reads it.
net::TlsServerOptions tls_options_of(const TlsPlan& plan);

// What the session layer listens on, but for the certificate. The error names what cannot be.
std::expected<session::Listener, std::string> listener_of(const ListenerPlan& plan);

}  // namespace fanfare::gateway
