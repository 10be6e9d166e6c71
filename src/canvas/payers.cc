#include "canvas/payers.h"

namespace fanfare::canvas {

Payer& Payers::find(std::string_view payer, Instant now) {
  std::string key(payer);
  const auto found = payers_.find(key);
  if (found != payers_.end()) return found->second;
  if (payers_.size() >= limits_.payers_max) {
    // Looking at all of them is worth it once a second.
    if (now < next_sweep_) return shared_;
    next_sweep_ = now + std::chrono::seconds(1);
    std::erase_if(payers_, [&](const auto& known) {
      return known.second.pixels.is_idle(now) && known.second.chunks.is_idle(now);
    });
    if (payers_.size() >= limits_.payers_max) return shared_;
  }
  return payers_.try_emplace(std::move(key)).first->second;
}

}  // namespace fanfare::canvas
