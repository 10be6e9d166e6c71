// A session's record as an image that another instance continues from.

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "eth/resume_record.h"

namespace fanfare::eth {
namespace {

void move_to_end(std::vector<std::string>& positions, const std::string& cursor) {
  std::erase(positions, cursor);
  positions.push_back(cursor);
}

// Subscriptions of one position share its text.
class Marks {
 public:
  Mark of(const std::string& cursor) {
    const auto [place, is_new] = known_.try_emplace(cursor);
    if (is_new) place->second = mark_of(cursor);
    return place->second;
  }

 private:
  std::unordered_map<std::string, Mark> known_;
};

}  // namespace

void ResumeRecord::note_change(bool is_urgent) {
  if (!changed_) return;
  if (!std::exchange(is_change_noted_, true) || is_urgent) changed_(is_urgent);
}

// As begin() finds it.
ResumeImage::Subscription ResumeRecord::image_of(const Kept& one) {
  ResumeImage::Subscription made{.topic = one.topic,
                                 .id = one.id,
                                 .from = *(one.lowest ? one.lowest : one.confirmed).cursor,
                                 .may_have = {},
                                 .is_incomplete = one.turns.is_incomplete(),
                                 .is_stale = one.is_stale};
  for (const auto& turn : one.turns.all()) made.may_have.push_back(*turn.at.cursor);
  if (one.lowest && std::ranges::find(made.may_have, *one.confirmed.cursor) == made.may_have.end())
    made.may_have.insert(made.may_have.begin(), *one.confirmed.cursor);
  if (one.latest && one.latest != one.confirmed) move_to_end(made.may_have, *one.latest.cursor);
  return made;
}

ResumeImage ResumeRecord::image() {
  const std::scoped_lock lock(mutex_);
  is_change_noted_ = false;
  std::vector<const Kept*> made;
  for (const Kept& one : kept_) {
    if (one.made != 0 && one.confirmed) made.push_back(&one);
  }
  std::ranges::sort(made, {}, &Kept::made);
  ResumeImage image;
  for (const Kept* const one : made) image.subscriptions.push_back(image_of(*one));
  return image;
}

bool ResumeRecord::restore(const ResumeImage& image, bool is_stale) {
  const std::scoped_lock lock(mutex_);
  Marks marks;
  for (const ResumeImage::Subscription& one : image.subscriptions) {
    if (kept_.size() >= limits_.subscriptions_max || !memory_.grow(kResumeSubscriptionBytes)) return false;
    const Mark from = marks.of(one.from);
    kept_.push_back(Kept{.made = ++made_,
                         .is_stale = one.is_stale || is_stale,
                         .topic = one.topic,
                         .id = one.id,
                         .confirmed = from,
                         .latest = from});
    kept_.back().turns.set_incomplete(one.is_incomplete);
  }
  // Only what no subscription needs.
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    for (const std::string& position : image.subscriptions[i].may_have)
      add_turn(kept_[i], marks.of(position));
  }
  return true;
}

}  // namespace fanfare::eth
