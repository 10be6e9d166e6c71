#pragma once
// A token bucket in one word: the time up to which its tokens are spent. No lock, no timer; any thread.
//
//   spent_until          now
//   -----|----------------|----->       the distance, at most the burst, is what is left
//
// Something that costs more than the burst is admitted when the bucket is full, and leaves it in debt: otherwise it
// could never be done.

#include <atomic>
#include <cstdint>

#include "base/time.h"

namespace fanfare {

struct TokenRate {
  std::uint64_t per_second = 0;  // zero: no limit
  // After a quiet time; zero: as many as per second. At most what a minute brings (kBurstTimeMax).
  std::uint64_t burst = 0;

  bool is_limited() const { return per_second > 0; }
  bool operator==(const TokenRate&) const = default;
};
inline constexpr Duration kBurstTimeMax = std::chrono::minutes(1);
// What was spent beyond the limit is refused for later, but not longer than this.
inline constexpr Duration kDebtTimeMax = std::chrono::hours(1);
// Larger rates and costs count as this.
inline constexpr std::uint64_t kTokensMax = std::uint64_t{1} << 40;

class TokenBucket {
 public:
  // Takes `cost` tokens and returns zero, or takes none and returns the time until they can be taken. Always the same
  // rate for one bucket.
  Duration take(const TokenRate& rate, std::uint64_t cost, Instant now);
  // Takes them in any case: for what has already happened. The bucket may be in debt afterwards, by at most
  // kDebtTimeMax.
  void charge(const TokenRate& rate, std::uint64_t cost, Instant now);
  // As take(), but takes nothing.
  Duration wait_for(const TokenRate& rate, std::uint64_t cost, Instant now) const;
  // Undoes take().
  void give_back(const TokenRate& rate, std::uint64_t cost);
  // Nothing was taken in the last minute: forgetting the bucket changes nothing, if its burst fills in a minute.
  bool is_idle(Instant now) const;

 private:
  std::atomic<std::int64_t> spent_until_ns_{INT64_MIN / 4};
};

}  // namespace fanfare
