#include "session/accept_gate.h"

namespace fanfare::session {

std::string_view name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::shutting_down:
      return "shutting_down";
    case Refusal::loop_connections:
      return "loop_connections";
    case Refusal::server_connections:
      return "server_connections";
    case Refusal::address_connections:
      return "address_connections";
    case Refusal::address_rate:
      return "address_rate";
    case Refusal::proxy_header:
      return "proxy_header";
    case Refusal::tls_failed:
      return "tls_failed";
    case Refusal::tls_timeout:
      return "tls_timeout";
    case Refusal::handshake_timeout:
      return "handshake_timeout";
    case Refusal::count_:
      break;
  }
  return "";
}

AcceptGate::AcceptGate(const AcceptLimits& limits)
    : connections_max_(limits.connections_max), addresses_(limits.per_address) {}

void AcceptGate::set_limits(const AcceptLimits& limits) {
  connections_max_.store(limits.connections_max, std::memory_order_relaxed);
  addresses_.set_options(limits.per_address);
}

std::expected<void, Refusal> AcceptGate::enter() {
  const std::size_t before = connections_.fetch_add(1, std::memory_order_relaxed);
  const std::size_t most = connections_max_.load(std::memory_order_relaxed);
  if (most == 0 || before < most) return {};
  leave();
  return std::unexpected(Refusal::server_connections);
}

void AcceptGate::leave() {
  connections_.fetch_sub(1, std::memory_order_relaxed);
}

std::expected<AddressLimits::Ticket, Refusal> AcceptGate::enter_address(const net::Address& address,
                                                                        Instant now) {
  const auto ticket = addresses_.enter(address, now);
  if (ticket) return *ticket;
  return std::unexpected(ticket.error() == AddressLimits::Refused::too_many ? Refusal::address_connections
                                                                            : Refusal::address_rate);
}

}  // namespace fanfare::session
