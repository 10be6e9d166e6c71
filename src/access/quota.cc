#include "access/quota.h"

#include <algorithm>
#include <functional>

#include "base/check.h"
#include "base/random.h"
#include "http/headers.h"

namespace fanfare::access {
namespace {

// How long a payer with too many open connections or subscriptions should wait: nobody knows when one ends.
constexpr Duration kRetryLater = std::chrono::seconds(1);
constexpr std::size_t kLookedAt = 8;

// Adds one, unless that would exceed `max`. Zero: no limit.
bool enter(std::atomic<std::uint32_t>& count, std::uint32_t max) {
  std::uint32_t before = count.load(std::memory_order_relaxed);
  do {
    if (max != 0 && before >= max) return false;
  } while (!count.compare_exchange_weak(before, before + 1, std::memory_order_relaxed));
  return true;
}

bool fits(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return http::equals_ignoring_case(pattern, name);
  pattern.remove_suffix(1);
  return http::equals_ignoring_case(name.substr(0, pattern.size()), pattern);
}

}  // namespace

std::uint32_t Costs::of(std::string_view method) const {
  std::size_t longest = 0;
  std::uint32_t cost = 1;
  for (const auto& [pattern, its_cost] : patterns_) {
    if (pattern.size() < longest || !fits(pattern, method)) continue;
    longest = pattern.size();
    cost = its_cost;
  }
  return cost;
}

bool Account::is_idle(Instant now) const {
  return requests.is_idle(now) && subscriptions.is_idle(now) && connections.is_idle(now) &&
         bytes.is_idle(now) && failures.is_idle(now);
}

std::size_t AccountKeyHash::operator()(const std::string& key) const {
  std::uint64_t mixed = std::hash<std::string>()(key) ^ seed;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
  return static_cast<std::size_t>(mixed ^ (mixed >> 31U));
}

AccountTable::AccountTable(std::size_t accounts_max)
    : shard_max_(std::max<std::size_t>(accounts_max / kShards, 1)), hash_{.seed = SystemRandom().next_u64()} {
  for (Shard& shard : shards_) shard.accounts = decltype(shard.accounts)(0, hash_);
}

std::shared_ptr<Account> AccountTable::find(std::string_view key, Instant now) {
  std::string owned(key);
  Shard& shard = shards_[hash_(owned) % kShards];
  const std::scoped_lock lock(shard.mutex);
  if (const auto found = shard.accounts.find(owned); found != shard.accounts.end()) return found->second;
  drop_some(shard, now);
  return shard.accounts.emplace(std::move(owned), std::make_shared<Account>()).first->second;
}

// Looks at a few accounts whenever one is added, so that the table shrinks as fast as it grows.
void AccountTable::drop_some(Shard& shard, Instant now) const {
  std::size_t over = shard.accounts.size() - std::min(shard.accounts.size(), shard_max_ - 1);
  for (std::size_t looked = 0; looked < kLookedAt && !shard.accounts.empty(); ++looked) {
    shard.hand = (shard.hand + 1) % shard.accounts.bucket_count();
    const auto first = shard.accounts.begin(shard.hand);
    if (first == shard.accounts.end(shard.hand)) continue;
    // Nobody else can take a reference meanwhile: that needs the shard's mutex, or another reference.
    if (first->second.use_count() > 1) continue;
    if (over == 0 && !first->second->is_idle(now)) continue;
    over -= std::min<std::size_t>(over, 1);
    shard.accounts.erase(std::string(first->first));
  }
}

std::size_t AccountTable::size() const {
  std::size_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    sum += shard.accounts.size();
  }
  return sum;
}

std::string_view name_of(Limit limit) {
  switch (limit) {
    case Limit::requests:
      return "requests";
    case Limit::subscriptions:
      return "subscriptions";
    case Limit::connections:
      return "connections";
    case Limit::bytes:
      return "bytes";
    case Limit::count_:
      break;
  }
  return "";
}

Payer::Payer(Share identity, Share address) : shares_{std::move(identity), std::move(address)} {}

Payer::Payer(Payer&& other) noexcept
    : shares_(std::exchange(other.shares_, {})),
      has_connection_(std::exchange(other.has_connection_, false)),
      subscriptions_(std::exchange(other.subscriptions_, 0)) {}

Payer& Payer::operator=(Payer&& other) noexcept {
  if (this == &other) return *this;
  give_up();
  shares_ = std::exchange(other.shares_, {});
  has_connection_ = std::exchange(other.has_connection_, false);
  subscriptions_ = std::exchange(other.subscriptions_, 0);
  return *this;
}

void Payer::give_up() {
  for (const Share& share : shares_) {
    if (share.account == nullptr) continue;
    if (has_connection_) share.account->open_connections.fetch_sub(1, std::memory_order_relaxed);
    share.account->live_subscriptions.fetch_sub(subscriptions_, std::memory_order_relaxed);
  }
  has_connection_ = false;
  subscriptions_ = 0;
}

template <typename Take, typename GiveBack>
std::optional<Exhausted> Payer::take_all(Limit limit, Take take, GiveBack give_back) {
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    if (shares_[i].account == nullptr) continue;
    const Duration wait = take(*shares_[i].limits, *shares_[i].account);
    if (wait == Duration::zero()) continue;
    if (i == 1 && shares_[0].account != nullptr) give_back(*shares_[0].limits, *shares_[0].account);
    return Exhausted{.limit = limit,
                     .retry_after = std::max<Duration>(wait, std::chrono::milliseconds(1)),
                     .by_address = i == 1};
  }
  return std::nullopt;
}

std::optional<Exhausted> Payer::take_call(std::uint64_t cost, Instant now) {
  const auto in_debt = take_all(
      Limit::bytes,
      [&](const Limits& limits, Account& account) { return account.bytes.wait_for(limits.bytes, 1, now); },
      [](const Limits&, Account&) {});
  if (in_debt) return in_debt;
  return take_all(
      Limit::requests,
      [&](const Limits& limits, Account& account) {
        return account.requests.take(limits.requests, cost, now);
      },
      [&](const Limits& limits, Account& account) { account.requests.give_back(limits.requests, cost); });
}

std::optional<Exhausted> Payer::take_connection(Instant now) {
  auto refused = take_all(
      Limit::connections,
      [&](const Limits& limits, Account& account) {
        if (!enter(account.open_connections, limits.connections_max)) return kRetryLater;
        const Duration wait = account.connections.take(limits.connections, 1, now);
        if (wait > Duration::zero()) account.open_connections.fetch_sub(1, std::memory_order_relaxed);
        return wait;
      },
      [](const Limits& limits, Account& account) {
        account.open_connections.fetch_sub(1, std::memory_order_relaxed);
        account.connections.give_back(limits.connections, 1);
      });
  has_connection_ = !refused;
  return refused;
}

std::optional<Exhausted> Payer::take_subscription(Instant now) {
  auto refused = take_all(
      Limit::subscriptions,
      [&](const Limits& limits, Account& account) {
        if (!enter(account.live_subscriptions, limits.subscriptions_max)) return kRetryLater;
        const Duration wait = account.subscriptions.take(limits.subscriptions, 1, now);
        if (wait > Duration::zero()) account.live_subscriptions.fetch_sub(1, std::memory_order_relaxed);
        return wait;
      },
      [](const Limits& limits, Account& account) {
        account.live_subscriptions.fetch_sub(1, std::memory_order_relaxed);
        account.subscriptions.give_back(limits.subscriptions, 1);
      });
  if (!refused) ++subscriptions_;
  return refused;
}

std::optional<Exhausted> Payer::take_subscription_again(Instant now) {
  return take_all(
      Limit::subscriptions,
      [&](const Limits& limits, Account& account) {
        return account.subscriptions.take(limits.subscriptions, 1, now);
      },
      [](const Limits& limits, Account& account) {
        account.subscriptions.give_back(limits.subscriptions, 1);
      });
}

std::optional<Exhausted> Payer::add_identity(Share identity, Instant now) {
  FANFARE_CHECK(shares_[0].account == nullptr && identity.account != nullptr);
  Payer alone(std::move(identity), {});
  if (has_connection_) {
    if (const auto refused = alone.take_connection(now)) return refused;
  }
  // From here on this payer gives them back.
  alone.has_connection_ = false;
  shares_[0] = std::exchange(alone.shares_[0], {});
  shares_[0].account->live_subscriptions.fetch_add(subscriptions_, std::memory_order_relaxed);
  return std::nullopt;
}

void Payer::give_back_subscriptions(std::uint32_t count) {
  count = std::min(count, subscriptions_);
  subscriptions_ -= count;
  for (const Share& share : shares_) {
    if (share.account != nullptr) {
      share.account->live_subscriptions.fetch_sub(count, std::memory_order_relaxed);
    }
  }
}

void Payer::set_limits(std::shared_ptr<const Limits> identity, std::shared_ptr<const Limits> address) {
  if (shares_[0].account != nullptr) shares_[0].limits = std::move(identity);
  if (shares_[1].account != nullptr) shares_[1].limits = std::move(address);
}

void Payer::charge_bytes(std::uint64_t count, Instant now) {
  for (const Share& share : shares_) {
    if (share.account != nullptr) share.account->bytes.charge(share.limits->bytes, count, now);
  }
}

}  // namespace fanfare::access
