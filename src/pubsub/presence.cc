#include "pubsub/presence.h"

#include "base/check.h"

namespace fanfare::pubsub {

void Presence::join(std::string_view member) {
  const auto found = connections_.find(member);
  if (found != connections_.end()) {
    ++found->second;
    return;
  }
  connections_.emplace(member, 1);
  note(member, true);
}

void Presence::leave(std::string_view member) {
  const auto found = connections_.find(member);
  FANFARE_CHECK(found != connections_.end());
  if (--found->second > 0) return;
  connections_.erase(found);
  note(member, false);
}

// A second change takes the first one back.
void Presence::note(std::string_view member, bool is_in) {
  const auto found = changed_.find(member);
  if (found == changed_.end()) {
    changed_.emplace(member, !is_in);
  } else {
    changed_.erase(found);
  }
}

PresenceChange Presence::take() {
  PresenceChange change;
  for (const auto& [member, was_in] : changed_) (was_in ? change.left : change.joined).push_back(member);
  changed_.clear();
  return change;
}

std::vector<std::string> Presence::members() const {
  std::vector<std::string> all;
  all.reserve(connections_.size());
  for (const auto& [member, connections] : connections_) all.push_back(member);
  return all;
}

}  // namespace fanfare::pubsub
