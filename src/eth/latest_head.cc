#include "eth/latest_head.h"

#include <algorithm>

namespace fanfare::eth {

bool LatestHead::deliver(const SharedBytes& frame) {
  if (backlog_.empty() && !connection_.is_congested()) return connection_.deliver(frame);
  if (!backlog_.empty()) {
    const bool is_first = first_missed_ == 0 && last_missed_ == 0;
    first_missed_ = is_first ? held_number_ : std::min(first_missed_, held_number_);
    last_missed_ = std::max(last_missed_, held_number_);
    ++dropped_;
  }
  backlog_.add(frame);
  held_number_ = published_.value_or(0);
  return true;
}

std::optional<LatestHead::Held> LatestHead::take() {
  if (connection_.is_congested()) return std::nullopt;
  auto next = backlog_.take();
  if (!next) return std::nullopt;
  return Held{.frame = std::move(next->frame),
              .heads_missed = next->missed,
              .first = std::exchange(first_missed_, 0),
              .last = std::exchange(last_missed_, 0)};
}

}  // namespace fanfare::eth
