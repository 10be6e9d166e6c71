#include "eth/latest_head.h"

#include <algorithm>
#include <utility>

namespace fanfare::eth {

LatestHead::LatestHead(pubsub::Subscriber& connection, pubsub::EventLog& log,
                       const std::optional<std::uint64_t>& published)
    : connection_(connection), published_(published) {
  set_policy({.when_full = WhenFull::keep_latest}, waiting, log);
}

bool LatestHead::deliver(const SharedBytes& frame) {
  if (is_behind()) {
    first_missed_ = std::min(first_missed_.value_or(held_number_), held_number_);
    last_missed_ = std::max(last_missed_, held_number_);
  } else if (!connection_.is_congested()) {
    return PacedSubscriber::deliver(frame);
  }
  held_number_ = published_.value_or(0);
  return PacedSubscriber::deliver(frame);
}

std::optional<LatestHead::Held> LatestHead::take_held() {
  if (connection_.is_congested()) return std::nullopt;
  auto next = take();
  if (!next) return std::nullopt;
  return Held{.frame = std::move(next->frame),
              .heads_missed = next->missed ? next->missed->count() : 0,
              .first = std::exchange(first_missed_, std::nullopt).value_or(0),
              .last = std::exchange(last_missed_, 0)};
}

}  // namespace fanfare::eth
