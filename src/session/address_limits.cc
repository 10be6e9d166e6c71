#include "session/address_limits.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/random.h"

namespace fanfare::session {

std::size_t AddressKeyHash::operator()(std::uint64_t key) const {
  std::uint64_t mixed = key ^ seed;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31) ^ (seed >> 7);
}

AddressLimits::AddressLimits(const AddressLimitOptions& options)
    : idle_max_(std::max<std::size_t>(1, options.remembered_max / kShards)) {
  hash_.seed = SystemRandom().next_u64();
  for (Shard& shard : shards_) {
    shard.places = std::unordered_map<std::uint64_t, std::uint32_t, AddressKeyHash>(0, hash_);
  }
  set_options(options);
}

void AddressLimits::set_options(const AddressLimitOptions& options) {
  const Rules rules = rules_of(options);
  for (Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    shard.rules = rules;
  }
  enabled_.store(options.connections_max > 0 || options.connections_per_second > 0,
                 std::memory_order_relaxed);
}

AddressLimits::Rules AddressLimits::rules_of(const AddressLimitOptions& options) {
  Rules rules{.connections_max = options.connections_max, .exempts_loopback = options.exempts_loopback};
  if (options.connections_per_second == 0) return rules;
  rules.interval = Duration(std::chrono::seconds(1)) / options.connections_per_second;
  rules.bucket = rules.interval * (options.burst > 0 ? options.burst : options.connections_per_second);
  return rules;
}

std::optional<std::uint64_t> AddressLimits::key_of(const net::Address& address) {
  // An IPv6 source address never begins with these bits (they are multicast), so the keys cannot collide.
  constexpr std::uint64_t kIp4 = 0xffff'ffff'0000'0000;
  if (address.family() == AF_INET) {
    return kIp4 | ntohl(reinterpret_cast<const sockaddr_in*>(address.data())->sin_addr.s_addr);
  }
  if (address.family() != AF_INET6) return std::nullopt;
  const auto& bytes = reinterpret_cast<const sockaddr_in6*>(address.data())->sin6_addr.s6_addr;
  const bool is_mapped =
      IN6_IS_ADDR_V4MAPPED(&reinterpret_cast<const sockaddr_in6*>(address.data())->sin6_addr) != 0;
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < (is_mapped ? 4U : 8U); ++i) key = key << 8 | bytes[is_mapped ? 12 + i : i];
  return is_mapped ? kIp4 | key : key;
}

std::expected<AddressLimits::Ticket, AddressLimits::Refused> AddressLimits::enter(const net::Address& address,
                                                                                  Instant now) {
  const auto key = key_of(address);
  if (!enabled() || !key) return 0;
  const std::size_t which = hash_(*key) % kShards;
  Shard& shard = shards_[which];
  const std::scoped_lock lock(shard.mutex);
  const Rules& rules = shard.rules;
  if (rules.exempts_loopback && address.is_loopback()) return 0;
  const std::uint32_t slot = slot_for(shard, *key);
  Entry& entry = shard.entries[slot];
  const bool fits = rules.connections_max == 0 || entry.connections < rules.connections_max;
  if (!fits) return std::unexpected(Refused::too_many);
  if (!take_token(rules, entry, now)) {
    if (entry.connections == 0) shard.idle.splice(shard.idle.end(), shard.idle, entry.idle);
    forget_some(shard, now);
    return std::unexpected(Refused::too_fast);
  }
  if (entry.connections++ == 0) shard.idle.erase(entry.idle);
  forget_some(shard, now);
  return static_cast<Ticket>((slot + 1) * kShards + which);
}

void AddressLimits::leave(Ticket ticket) {
  if (ticket == 0) return;
  Shard& shard = shards_[ticket % kShards];
  const std::uint32_t slot = static_cast<std::uint32_t>(ticket / kShards) - 1;
  const std::scoped_lock lock(shard.mutex);
  Entry& entry = shard.entries[slot];
  FANFARE_CHECK(entry.connections > 0);
  if (--entry.connections > 0) return;
  entry.idle = shard.idle.insert(shard.idle.end(), slot);
  if (shard.rules.interval == Duration::zero()) forget(shard, slot);
}

std::size_t AddressLimits::size() const {
  std::size_t count = 0;
  for (const Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    count += shard.places.size();
  }
  return count;
}

// A token costs an interval; the bucket is full when spent_until is not in the future. Of what was spent under earlier rules a
// bucket of these counts.
bool AddressLimits::take_token(const Rules& rules, Entry& entry, Instant now) {
  if (rules.interval == Duration::zero()) return true;
  entry.spent_until = std::min(entry.spent_until, now + rules.bucket);
  const Instant spent = std::max(entry.spent_until, now) + rules.interval;
  if (spent - now > rules.bucket) return false;
  entry.spent_until = spent;
  return true;
}

std::uint32_t AddressLimits::slot_for(Shard& shard, std::uint64_t key) {
  const auto found = shard.places.find(key);
  if (found != shard.places.end()) return found->second;
  if (shard.free.empty()) {
    shard.free.push_back(static_cast<std::uint32_t>(shard.entries.size()));
    shard.entries.emplace_back();
  }
  const std::uint32_t slot = shard.free.back();
  shard.free.pop_back();
  shard.entries[slot] = {.key = key, .idle = shard.idle.insert(shard.idle.end(), slot)};
  shard.places.emplace(key, slot);
  return slot;
}

// Oldest first: entries with a full bucket need not be remembered; the others are removed when there are too
// many.
void AddressLimits::forget_some(Shard& shard, Instant now) const {
  while (!shard.idle.empty()) {
    const std::uint32_t oldest = shard.idle.front();
    if (shard.idle.size() <= idle_max_ && shard.entries[oldest].spent_until > now) return;
    forget(shard, oldest);
  }
}

void AddressLimits::forget(Shard& shard, std::uint32_t slot) {
  shard.idle.erase(shard.entries[slot].idle);
  shard.places.erase(shard.entries[slot].key);
  shard.free.push_back(slot);
}

}  // namespace fanfare::session
