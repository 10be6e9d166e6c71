#include "eth/pace.h"

#include <algorithm>

namespace fanfare::eth {

void BlockTime::Ring::add(Duration value) {
  values[next] = value;
  next = (next + 1) % kSamples;
  count = std::min(count + 1, kSamples);
}

std::optional<Duration> BlockTime::Ring::median() const {
  if (count == 0) return std::nullopt;
  auto sorted = values;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(sorted.begin(), middle, sorted.begin() + static_cast<std::ptrdiff_t>(count));
  return *middle;
}

void BlockTime::saw_timestamps(std::uint64_t parent_s, std::uint64_t block_s) {
  // The block producer chooses the timestamp: one from the far future must not overflow.
  constexpr std::uint64_t kMostSeconds = 86'400;
  const std::uint64_t seconds = block_s > parent_s ? std::min(block_s - parent_s, kMostSeconds) : 0;
  timestamps_.add(std::chrono::seconds(seconds));
}

void BlockTime::saw_arrival(Duration elapsed, std::uint64_t blocks) {
  if (blocks == 0) return;
  arrivals_.add(Duration(elapsed.count() / static_cast<Duration::rep>(blocks)));
}

std::optional<Duration> BlockTime::median() const {
  const auto by_timestamps = timestamps_.median();
  if (by_timestamps && *by_timestamps > Duration::zero()) return by_timestamps;
  return arrivals_.median();
}

Duration Backoff::next(Random& random) {
  const Duration half = step_ / 2;
  const auto jitter =
      Duration(static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(half.count()) + 1)));
  step_ = std::min(step_ * 2, most_);
  return half + jitter;
}

}  // namespace fanfare::eth
