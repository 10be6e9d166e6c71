#pragma once
// Limits by identity and by address. An account holds what one payer has spent; an AccountTable finds it. A Payer is
// what a connection keeps: the accounts that pay for its calls.
//
//   Payer payer({{identity_limits, identities.find(principal->name, now)}, {address_limits, addresses.find(key, now)}});
//   if (const auto refusal = payer.take_call(costs.of(method), now)) answer(-32005, refusal->retry_after);
//
// Taking tokens is one atomic operation per account: no lock, from any thread.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "access/bucket.h"
#include "base/time.h"

namespace fanfare::access {

// Of one payer. Zero, and a rate of zero: no limit.
struct Limits {
  Rate requests;       // calls, by their cost; those of a batch one by one
  Rate subscriptions;  // new ones
  Rate connections;    // new ones; HTTP requests are calls
  Rate bytes;          // of requests and answers, whatever the transport; counted once they are known
  std::uint32_t connections_max = 0;    // open WebSockets
  std::uint32_t subscriptions_max = 0;  // live, over all its connections

  bool operator==(const Limits&) const = default;
};

// What a call costs: the longest matching pattern decides (name_rules.h).
class Costs {
 public:
  Costs() = default;
  explicit Costs(std::vector<std::pair<std::string, std::uint32_t>> patterns)
      : patterns_(std::move(patterns)) {}
  // 1 without a matching pattern.
  std::uint32_t of(std::string_view method) const;
  bool operator==(const Costs&) const = default;

 private:
  std::vector<std::pair<std::string, std::uint32_t>> patterns_;
};

struct Account {
  Bucket requests;
  Bucket subscriptions;
  Bucket connections;
  Bucket bytes;
  Bucket failures;  // attempts to authenticate; see authenticator.h
  std::atomic<std::uint32_t> open_connections{0};
  std::atomic<std::uint32_t> live_subscriptions{0};

  bool is_idle(Instant now) const;
};

// Seeded: otherwise an attacker could choose colliding keys.
struct AccountKeyHash {
  std::uint64_t seed = 0;
  std::size_t operator()(const std::string& key) const;
};

// Accounts by key. Any thread; a mutex of one of several shards is taken per request over HTTP and per connection,
// never per message. An account without a holder whose last minute was quiet is dropped, so that addresses that come
// and go cost nothing. Beyond `accounts_max` an account without a holder is dropped even if it has spent something.
class AccountTable {
 public:
  explicit AccountTable(std::size_t accounts_max = 65'536);
  AccountTable(const AccountTable&) = delete;
  AccountTable& operator=(const AccountTable&) = delete;

  std::shared_ptr<Account> find(std::string_view key, Instant now);
  std::size_t size() const;

 private:
  struct Shard {
    mutable std::mutex mutex;  // guards everything below
    std::unordered_map<std::string, std::shared_ptr<Account>, AccountKeyHash> accounts;
    std::size_t hand = 0;  // the next bucket of the map that is looked at
  };
  static constexpr std::size_t kShards = 16;
  void drop_some(Shard& shard, Instant now) const;

  const std::size_t shard_max_;
  AccountKeyHash hash_;
  std::array<Shard, kShards> shards_;
};

// Which limit was reached.
enum class Limit : std::uint8_t { requests, subscriptions, connections, bytes, count_ };
std::string_view name_of(Limit limit);

struct Exhausted {
  Limit limit = Limit::requests;
  Duration retry_after{};  // at least a millisecond
  bool by_address = false;
};

// Movable; what it holds is given back when it is destroyed.
class Payer {
 public:
  struct Share {
    std::shared_ptr<const Limits> limits;
    std::shared_ptr<Account> account;
  };

  Payer() = default;  // pays everything: no limits
  Payer(Share identity, Share address);
  Payer(Payer&& other) noexcept;
  Payer& operator=(Payer&& other) noexcept;
  Payer(const Payer&) = delete;
  Payer& operator=(const Payer&) = delete;
  ~Payer() { give_up(); }

  // Each returns the limit that refuses, and then has taken nothing.
  std::optional<Exhausted> take_call(std::uint64_t cost, Instant now);
  std::optional<Exhausted> take_connection(Instant now);  // once; given back by the destructor
  std::optional<Exhausted> take_subscription(Instant now);
  // One that replaces a live one of this payer.
  std::optional<Exhausted> take_subscription_again(Instant now);
  void give_back_subscriptions(std::uint32_t count);
  // An address has paid alone so far, for a caller that has authenticated now: its identity pays, too, also for the
  // connection and the subscriptions that are there. The limit that refuses; then nothing has changed.
  std::optional<Exhausted> add_identity(Share identity, Instant now);
  // Bytes that came or were sent. A payer in debt is refused calls until it has paid.
  void charge_bytes(std::uint64_t count, Instant now);
  // Live ones that it has paid for.
  std::uint32_t subscriptions() const { return subscriptions_; }
  // Other limits from now on; what was spent stays spent.
  void set_limits(std::shared_ptr<const Limits> identity, std::shared_ptr<const Limits> address);
  bool is_limited() const { return shares_[0].account != nullptr || shares_[1].account != nullptr; }

 private:
  template <typename Take, typename GiveBack>
  std::optional<Exhausted> take_all(Limit limit, Take take, GiveBack give_back);
  void give_up();

  std::array<Share, 2> shares_;  // identity, address
  bool has_connection_ = false;
  std::uint32_t subscriptions_ = 0;
};

}  // namespace fanfare::access
