#pragma once
// Admission of connections: the limits shared by all loops of a server, and counts of rejected connections by
// reason. Any thread; used when a connection opens and when it closes, never per message.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

#include "session/address_limits.h"

namespace fanfare::session {

struct AcceptLimits {
  // Sockets of all kinds over all loops; further ones are accepted and closed immediately. Zero: only the
  // loops' own limits apply.
  std::size_t connections_max = 0;
  AddressLimitOptions per_address;
};

// Why a connection was dropped before its first request.
enum class Refusal : std::uint8_t {
  shutting_down,
  loop_connections,     // LoopServerOptions::connections_max
  server_connections,   // AcceptLimits::connections_max
  address_connections,  // AddressLimitOptions::connections_max
  address_rate,         // AddressLimitOptions::connections_per_second
  proxy_header,         // missing or invalid
  tls_failed,           // no TLS, or no common version or cipher
  tls_timeout,          // HttpSettings::tls_timeout
  handshake_timeout,    // HttpSettings::handshake_timeout
  count_,
};
std::string_view name_of(Refusal refusal);

class AcceptGate {
 public:
  explicit AcceptGate(const AcceptLimits& limits = {});

  // For connections that come from now on; see AddressLimits::set_options(). Lower limits close nobody.
  void set_limits(const AcceptLimits& limits);

  // A connection was accepted. After a successful enter(), call leave() when it ends.
  std::expected<void, Refusal> enter();
  void leave();
  std::size_t connections() const { return connections_.load(std::memory_order_relaxed); }

  // The connection's address is known. Pass the ticket to leave_address().
  std::expected<AddressLimits::Ticket, Refusal> enter_address(const net::Address& address, Instant now);
  void leave_address(AddressLimits::Ticket ticket) { addresses_.leave(ticket); }
  bool limits_addresses() const { return addresses_.enabled(); }

  void count(Refusal refusal) {
    refusals_[static_cast<std::size_t>(refusal)].fetch_add(1, std::memory_order_relaxed);
  }
  std::uint64_t refused(Refusal refusal) const {
    return refusals_[static_cast<std::size_t>(refusal)].load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::size_t> connections_max_;
  std::atomic<std::size_t> connections_ = 0;
  AddressLimits addresses_;
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Refusal::count_)> refusals_{};
};

}  // namespace fanfare::session
