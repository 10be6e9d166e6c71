#pragma once
// What one address may have: connections at the same time, and new ones a second. An address is an IPv4
// address or an IPv6 /64 (a customer gets at least that much, so a single IPv6 address limits nobody);
// IPv4 mapped into IPv6 is IPv4. Other families (Unix sockets) have no limits here.
//
// Any thread: a mutex guards each of several shards, and is taken when a connection comes and when it goes.

#include <array>
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
  std::uint32_t connections_max = 0;  // at the same time; zero: any number
  // New connections a second, on average; zero: any number.
  std::uint32_t connections_per_second = 0;
  // How many may come at once after a quiet time; zero: as many as in a second.
  std::uint32_t burst = 0;
  bool exempts_loopback = false;  // 127.0.0.0/8 and ::1 have no limits
  // Addresses without a connection whose rate is remembered; past it the one that was heard of longest ago is
  // forgotten. Those with connections are bounded by the connections.
  std::size_t remembered_max = 65'536;
};

// Seeded: who could choose addresses that collide could make every accept slow.
struct AddressKeyHash {
  std::uint64_t seed = 0;
  std::size_t operator()(std::uint64_t key) const;
};

class AddressLimits {
 public:
  enum class Refused : std::uint8_t { too_many, too_fast };
  // What an admitted connection gives back when it goes. Zero: nothing.
  using Ticket = std::uint32_t;

  explicit AddressLimits(const AddressLimitOptions& options);
  AddressLimits(const AddressLimits&) = delete;
  AddressLimits& operator=(const AddressLimits&) = delete;

  bool enabled() const { return options_.connections_max > 0 || options_.connections_per_second > 0; }

  // A refused connection uses up nothing.
  std::expected<Ticket, Refused> enter(const net::Address& address, Instant now);
  void leave(Ticket ticket);

  // Addresses the table holds.
  std::size_t size() const;

  // The first 64 bits that tell addresses apart; empty for families without limits. Exposed for its test.
  static std::optional<std::uint64_t> key_of(const net::Address& address);

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::uint32_t connections = 0;
    Instant spent_until{};                    // the token bucket: everything up to here has been spent
    std::list<std::uint32_t>::iterator idle;  // in the shard's list, while there are no connections
  };
  struct Shard {
    mutable std::mutex mutex;  // guards everything below
    std::unordered_map<std::uint64_t, std::uint32_t, AddressKeyHash> places;
    std::vector<Entry> entries;
    std::vector<std::uint32_t> free;
    std::list<std::uint32_t> idle;  // without connections, the one that left longest ago first
  };

  static constexpr std::size_t kShards = 16;
  bool take_token(Entry& entry, Instant now) const;
  static std::uint32_t place_for(Shard& shard, std::uint64_t key);
  void forget_some(Shard& shard, Instant now) const;
  static void forget(Shard& shard, std::uint32_t place);

  const AddressLimitOptions options_;
  Duration interval_{};  // one token
  Duration bucket_{};    // a full one, as time
  std::size_t idle_max_ = 1;
  AddressKeyHash hash_;
  std::array<Shard, kShards> shards_;
};

}  // namespace fanfare::session
