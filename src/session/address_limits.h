#pragma once
// Limits per address: simultaneous connections, and new connections per second. An address is an IPv4 address
// or an IPv6 /64. A customer gets at least a /64, so a limit on single IPv6 addresses would be useless. IPv4
// mapped into IPv6 counts as IPv4. Other families (Unix sockets) have no limits here.
//
// Any thread. A mutex guards each of several shards; it is taken when a connection opens and when it closes.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "net/socket.h"

namespace fanfare::session {

struct AddressLimitOptions {
  std::uint32_t connections_max = 0;  // simultaneous; zero: no limit
  // New connections per second, on average; zero: no limit.
  std::uint32_t connections_per_second = 0;
  // How many may connect at once after a quiet time; zero: as many as per second.
  std::uint32_t burst = 0;
  bool exempts_loopback = false;  // 127.0.0.0/8 and ::1 are not limited
  // Number of addresses without a connection whose rate is remembered; beyond it the least recent one is
  // forgotten. Addresses with connections are limited by the number of connections.
  std::size_t remembered_max = 65'536;
};

// Seeded: otherwise an attacker could choose colliding addresses and slow down every accept.
struct AddressKeyHash {
  std::uint64_t seed = 0;
  std::size_t operator()(std::uint64_t key) const;
};

class AddressLimits {
 public:
  enum class Refused : std::uint8_t { too_many, too_fast };
  // Returned by an admitted connection when it closes. Zero: nothing to return.
  using Ticket = std::uint32_t;

  explicit AddressLimits(const AddressLimitOptions& options);
  AddressLimits(const AddressLimits&) = delete;
  AddressLimits& operator=(const AddressLimits&) = delete;

  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }

  // For connections that come from now on, except `remembered_max`, which stays. Connections that came while there was no
  // limit for them do not count.
  void set_options(const AddressLimitOptions& options);

  // A rejected connection uses no tokens.
  std::expected<Ticket, Refused> enter(const net::Address& address, Instant now);
  void leave(Ticket ticket);

  // The number of addresses in the table.
  std::size_t size() const;

  // The first 64 bits that distinguish addresses; empty for families without limits. Exposed for its test.
  static std::optional<std::uint64_t> key_of(const net::Address& address);

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::uint32_t connections = 0;
    Instant spent_until{};                    // the token bucket: everything before this time has been spent
    std::list<std::uint32_t>::iterator idle;  // in the shard's list while there are no connections
  };
  struct Rules {
    std::uint32_t connections_max = 0;
    bool exempts_loopback = false;
    Duration interval{};  // the time of one token; zero: no rate
    Duration bucket{};    // the time of a full bucket
  };
  struct Shard {
    mutable std::mutex mutex;  // guards everything below
    Rules rules;               // the same in all shards, except while they are changed
    std::unordered_map<std::uint64_t, std::uint32_t, AddressKeyHash> places;
    std::vector<Entry> entries;
    std::vector<std::uint32_t> free;
    std::list<std::uint32_t> idle;  // without connections, the least recent first
  };

  static constexpr std::size_t kShards = 16;
  static Rules rules_of(const AddressLimitOptions& options);
  static bool take_token(const Rules& rules, Entry& entry, Instant now);
  static std::uint32_t slot_for(Shard& shard, std::uint64_t key);
  void forget_some(Shard& shard, Instant now) const;
  static void forget(Shard& shard, std::uint32_t slot);

  std::atomic<bool> enabled_ = false;
  const std::size_t idle_max_;
  AddressKeyHash hash_;
  std::array<Shard, kShards> shards_;
};

}  // namespace fanfare::session
