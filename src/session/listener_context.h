#pragma once
// State shared by the connections of one listener, and by those of one server. Owned by the LoopServer, on
// its thread.

#include <memory>
#include <string>
#include <unordered_map>

#include "base/block_pool.h"
#include "session/accept_gate.h"
#include "session/accept_tls.h"
#include "session/http_service.h"
#include "session/session_table.h"
#include "session/settings.h"

namespace fanfare::session {

enum class ProxyProtocol : std::uint8_t {
  off,       // a PROXY header is a malformed HTTP request
  required,  // every connection begins with one, version 1 or 2, and its content is trusted: only for
             // listeners that nobody but the proxy can reach
};

struct ListenerOptions {
  std::shared_ptr<const ServerCertificate> certificate;  // null: no TLS
  ProxyProtocol proxy_protocol = ProxyProtocol::off;
};

// A connection refers to it until its upgrade.
struct ListenerContext {
  HttpService& service;
  const HttpSettings& http;
  ListenerOptions options;
};

class ServerSession;

// A connection refers to it for its whole lifetime.
class ServerTable final : public SessionTable {
 public:
  ServerTable(net::Loop& loop, Duration sweep_interval, AcceptGate& its_gate);

  AcceptGate& gate;
  BlockPool room;  // memory for its sessions
  // The peer addresses announced by a proxy. Stored here, because most connections have none.
  std::unordered_map<const ServerSession*, std::string> announced_peers;
};

}  // namespace fanfare::session
