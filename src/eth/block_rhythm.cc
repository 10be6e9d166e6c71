#include "eth/block_rhythm.h"

#include <algorithm>
#include <utility>

namespace fanfare::eth {
namespace {

// Parts of the block time.
constexpr int kDeviationMaxPart = 8;
constexpr int kMarginMaxPart = 4;
// After so many irregular blocks in a row the prediction begins again: the block time may have changed.
constexpr std::uint32_t kLostMax = 8;
// With fewer even intervals in a block there is nothing to distribute.
constexpr double kIntervalsMin = 2.5;

Duration magnitude(Duration value) {
  return value < Duration::zero() ? -value : value;
}

}  // namespace

void BlockRhythm::begin(Instant seen, Duration block_time) {
  period_ = block_time;
  due_ = seen + period_;
  deviation_ = period_ / kMarginMaxPart;
  lost_ = 0;
}

Duration BlockRhythm::margin() const {
  return std::clamp(deviation_ * 2, step_min_, std::max(step_min_, period_ / kMarginMaxPart));
}

void BlockRhythm::saw_blocks(Instant after, Instant by, std::uint64_t blocks, Duration block_time) {
  step_ = Duration::zero();
  const Instant between = by - (by - after) / 2;
  if (!due_) return begin(between, block_time);
  Instant expected = *due_ + period_ * static_cast<Duration::rep>(blocks - 1);
  // One block after another that was a slot late or more: the period is wrong.
  bool is_regular = !std::exchange(slot_passed_, false);
  while (after - expected > period_ / 2) {
    expected += period_;
    is_regular = false;
  }
  // A prediction that agrees with the observation stands: the observation is no more precise. Otherwise phase and, more
  // slowly, period follow it.
  const Duration error = std::clamp(expected, std::min(after, by), by) - expected;
  period_ = std::max(period_ + error / 16, step_min_);
  due_ = expected + error * 3 / 4 + period_;
  deviation_ += (magnitude(error) - deviation_) / 4;
  is_regular = is_regular && deviation_ <= period_ / kDeviationMaxPart;
  lost_ = is_regular ? 0 : lost_ + 1;
  if (lost_ >= kLostMax) begin(between, block_time);
}

std::optional<Instant> BlockRhythm::next(Instant polled, Duration even) {
  if (!due_ || deviation_ >= period_ / kDeviationMaxPart ||
      static_cast<double>(period_.count()) < kIntervalsMin * static_cast<double>(even.count()))
    return std::nullopt;
  // A slot without a block, unless the block is only late.
  while (polled - *due_ > period_ / 2) {
    *due_ += period_;
    slot_passed_ = true;
    step_ = Duration::zero();
  }
  const Duration around = margin();
  const Instant first = *due_ - around;
  if (polled < first && step_ == Duration::zero()) {
    const auto polls = (first - polled) / (even * 2) + 1;
    return polled + (first - polled) / polls;
  }
  if (step_ == Duration::zero()) {
    // What the polls before have left of the block's share, distributed over the bracket.
    const auto share = period_ / even - (period_ - around) / (even * 2);
    step_ = std::max(step_min_, around * 2 / std::max<Duration::rep>(share - 1, 1));
  } else if (polled > *due_ + around) {
    step_ = std::min(step_ * 3 / 2, even);
  }
  return polled + step_;
}

}  // namespace fanfare::eth
