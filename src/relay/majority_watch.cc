#include "relay/majority_watch.h"

namespace fanfare::relay {

void MajorityWatch::tick(Instant now,
                         const std::function<std::string(std::string_view stream)>& stream_after) {
  if (!is_needed_ || (next_ && now < *next_)) return;
  next_ = saturating_add(now, every_);
  is_lost_ = is_lost_ || unanswered_ >= kUnansweredMax;
  // The same one until it answers: others may have a majority.
  if (unanswered_ == 0) asked_ = stream_after(asked_);
  if (asked_.empty()) return restart();
  ++unanswered_;
  ask_(asked_);
}

void MajorityWatch::answered(bool can_store) {
  is_lost_ = !can_store;
  unanswered_ = can_store ? 0 : kUnansweredMax;
}

void MajorityWatch::restart() {
  unanswered_ = 0;
  is_lost_ = false;
  next_.reset();
}

}  // namespace fanfare::relay
