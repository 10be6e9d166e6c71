#pragma once
// State shared by the connections of one listener, and by those of one server. Owned by the LoopServer, on
// its thread.

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "session/accept_gate.h"
#include "session/accept_tls.h"
#include "session/admission.h"
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

// A connection refers to it until its upgrade, and holds `use` for so long.
struct ListenerContext {
  HttpService& service;
  const HttpSettings& http;
  ListenerOptions options;
  // All its connections were accepted from a socket that had it before the first of them came.
  bool inherits_no_delay = false;
  bool is_removed = false;  // its HTTP connections end after their next response
  std::shared_ptr<const void> use = std::make_shared<const char>();

  bool is_in_use() const { return use.use_count() > 1; }
};

// A connection refers to it for its whole lifetime.
class ServerTable final : public SessionTable {
 public:
  ServerTable(net::Loop& loop, Duration sweep_interval, AcceptGate& its_gate)
      : SessionTable(loop, sweep_interval), gate(its_gate) {}

  // The member has joined: from here on the table leaves the gate when its connection ends.
  void admit(Member& member, Admission admission);
  // The address of an admitted connection is known, and has entered its limits.
  void set_ticket(const Member& member, AddressLimits::Ticket ticket);
  // The address that a proxy announced for the connection.
  void set_peer(const net::Transport& transport, std::string peer);
  std::string peer_of(const net::Transport& transport) const override;
  // A request has come, of which facts are kept.
  void note_request(const Member& member, http::Headers headers);

  AcceptGate& gate;

 private:
  void on_admitted_left(Member& member) override;
  void on_slots_dropped(std::size_t count) override;

  // By slot. Shorter than the table if the later ones have none.
  std::deque<AddressLimits::Ticket> tickets_;
  // Stored here, because most connections have none.
  std::unordered_map<const net::Transport*, std::string> announced_peers_;
};

}  // namespace fanfare::session
