#pragma once
// What the connections of one listener have in common. Owned by their LoopServer, on its thread.

#include <memory>

#include "session/accept_gate.h"
#include "session/accept_tls.h"
#include "session/settings.h"
#include "session/site.h"

namespace fanfare::session {

enum class ProxyProtocol : std::uint8_t {
  off,       // a PROXY header is a malformed HTTP request
  required,  // every connection begins with one, version 1 or 2, and what it says is believed: for listeners
             // that only the proxy can reach
};

struct ListenerOptions {
  std::shared_ptr<const ServerCertificate> certificate;  // null: no TLS
  ProxyProtocol proxy_protocol = ProxyProtocol::off;
};

struct Entrance {
  Site& site;
  const HttpSettings& http;
  AcceptGate& gate;
  ListenerOptions options;
};

}  // namespace fanfare::session
