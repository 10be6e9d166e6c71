#include "base/token_bucket.h"

#include <algorithm>

namespace fanfare {
namespace {

// Named, because the count of a Duration is another integer type in libc++.
constexpr std::int64_t kBurstMaxNs = kBurstTimeMax.count();
constexpr std::int64_t kDebtMaxNs = Duration(kDebtTimeMax).count();
constexpr double kTimeMaxNs = 1e16;  // 115 days: more is as good as never, and would overflow

// Exact enough: an hour of tokens is off by less than a nanosecond each.
std::int64_t time_of(const TokenRate& rate, std::uint64_t tokens) {
  const auto count = static_cast<double>(std::min(tokens, kTokensMax));
  const double ns = count * 1e9 / static_cast<double>(std::min(rate.per_second, kTokensMax));
  return static_cast<std::int64_t>(std::min(ns, kTimeMaxNs));
}

std::int64_t burst_of(const TokenRate& rate) {
  return std::min(time_of(rate, rate.burst == 0 ? rate.per_second : rate.burst), kBurstMaxNs);
}

std::int64_t ns_of(Instant now) {
  return now.time_since_epoch().count();
}

struct Next {
  std::int64_t spent_until;
  std::int64_t wait;
};

Next after(std::int64_t spent_until, const TokenRate& rate, std::uint64_t cost, std::int64_t now) {
  const std::int64_t full = now - burst_of(rate);
  const std::int64_t from = std::max(spent_until, full);
  const std::int64_t until = from + time_of(rate, cost);
  const bool admitted = until <= now || from == full;
  // A cost beyond the burst waits for a full bucket only.
  return {.spent_until = until, .wait = admitted ? 0 : std::min(until - now, from - full)};
}

}  // namespace

Duration TokenBucket::take(const TokenRate& rate, std::uint64_t cost, Instant now) {
  if (!rate.is_limited()) return Duration::zero();
  std::int64_t before = spent_until_ns_.load(std::memory_order_relaxed);
  for (;;) {
    const Next next = after(before, rate, cost, ns_of(now));
    if (next.wait > 0) return Duration(next.wait);
    if (spent_until_ns_.compare_exchange_weak(before, next.spent_until, std::memory_order_relaxed)) {
      return Duration::zero();
    }
  }
}

void TokenBucket::charge(const TokenRate& rate, std::uint64_t cost, Instant now) {
  if (!rate.is_limited()) return;
  std::int64_t before = spent_until_ns_.load(std::memory_order_relaxed);
  for (;;) {
    const Next next = after(before, rate, cost, ns_of(now));
    const std::int64_t until = std::min(next.spent_until, ns_of(now) + kDebtMaxNs);
    if (spent_until_ns_.compare_exchange_weak(before, std::max(before, until), std::memory_order_relaxed)) {
      return;
    }
  }
}

Duration TokenBucket::wait_for(const TokenRate& rate, std::uint64_t cost, Instant now) const {
  if (!rate.is_limited()) return Duration::zero();
  return Duration(after(spent_until_ns_.load(std::memory_order_relaxed), rate, cost, ns_of(now)).wait);
}

void TokenBucket::give_back(const TokenRate& rate, std::uint64_t cost) {
  if (rate.is_limited()) spent_until_ns_.fetch_sub(time_of(rate, cost), std::memory_order_relaxed);
}

bool TokenBucket::is_idle(Instant now) const {
  return spent_until_ns_.load(std::memory_order_relaxed) <= ns_of(now) - kBurstMaxNs;
}

}  // namespace fanfare
