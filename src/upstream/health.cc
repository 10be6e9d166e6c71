#include "upstream/health.h"

#include <algorithm>
#include <bit>

namespace fanfare::upstream {
namespace {
constexpr std::uint32_t kRecentSeenMin = 16;
constexpr std::uint32_t kRecentMax = 32;
}  // namespace

Health::Edge Health::answered(Instant begun, Instant now) {
  if (aside_) {
    // An answer to a call from before the endpoint was put aside says nothing about its present state.
    if (begun < aside_since_) return Edge::none;
    aside_ = false;
    failures_in_row_ = recent_ = recent_seen_ = 0;
    available_since_ = now;
    return Edge::recovered;
  }
  failures_in_row_ = 0;
  recent_ <<= 1U;
  recent_seen_ = std::min(recent_seen_ + 1, kRecentMax);
  return Edge::none;
}

Health::Edge Health::failed(const Failure& failure, Instant now) {
  if (!blames_endpoint(failure) || aside_) return Edge::none;
  ++failures_in_row_;
  recent_ = recent_ << 1U | 1U;
  recent_seen_ = std::min(recent_seen_ + 1, kRecentMax);

  const bool too_many = recent_seen_ >= kRecentSeenMin &&
                        static_cast<std::uint32_t>(std::popcount(recent_)) >= limits_.failures_of_32_max;
  const bool told_to_wait = failure.http_status == 429 || failure.retry_after.has_value();
  if (failures_in_row_ < limits_.failures_in_row_max && !too_many && !told_to_wait) return Edge::none;

  // After long enough without failures, the earlier backoff is forgotten.
  if (now - available_since_ > limits_.backoff_max) backoff_ = Duration::zero();
  put_aside(failure, now);
  return Edge::failed;
}

void Health::probe_failed(const Failure& failure, Instant now) {
  if (aside_) put_aside(failure, now);
}

void Health::put_aside(const Failure& failure, Instant now) {
  aside_ = true;
  aside_since_ = now;
  backoff_ = std::clamp(backoff_ * 2, limits_.backoff_min, limits_.backoff_max);
  // Between half of it and the whole.
  const auto half = static_cast<std::uint64_t>(backoff_.count() / 2);
  Duration wait = backoff_ - Duration(static_cast<Duration::rep>(random_->below(half + 1)));
  if (failure.retry_after) wait = std::clamp(*failure.retry_after, wait, limits_.backoff_max);
  retry_at_ = now + wait;
}

}  // namespace fanfare::upstream
