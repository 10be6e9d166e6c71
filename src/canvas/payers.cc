#include "canvas/payers.h"

namespace fanfare::canvas {

TokenBucket& Payers::find(std::string_view payer, Instant now) {
  std::string key(payer);
  const auto found = buckets_.find(key);
  if (found != buckets_.end()) return found->second;
  if (buckets_.size() >= limits_.payers_max) {
    // Looking at all of them is worth it once a second.
    if (now < next_sweep_) return shared_;
    next_sweep_ = now + std::chrono::seconds(1);
    std::erase_if(buckets_, [&](const auto& bucket) { return bucket.second.is_idle(now); });
    if (buckets_.size() >= limits_.payers_max) return shared_;
  }
  return buckets_.try_emplace(std::move(key)).first->second;
}

}  // namespace fanfare::canvas
