#include "canvasserver/shared_users.h"

#include <utility>

namespace fanfare::canvasserver {

using canvas::SharedJoin;
using canvas::SharedLeave;
using canvas::UserNumber;

SharedUsers::Id SharedUsers::join(const SharedJoin& who, UserNumber known, bool can_wait, Joined joined) {
  Id id = 0;
  if (const auto found = by_identity_.find(who.identity);
      !who.identity.empty() && found != by_identity_.end())
    id = found->second;
  if (id == 0) {
    id = ++last_;
    users_[id].who = who;
    if (!who.identity.empty()) by_identity_.emplace(who.identity, id);
  }
  User& user = users_.at(id);
  ++user.connections;
  user.who.name = who.name;
  user.who.payer = who.payer;
  if (user.who.number == 0) user.who.number = known;
  check(id);
  const UserNumber number = user.who.number;
  if (number == 0 && can_wait) {
    user.waiting.push_back(std::move(joined));
  } else {
    joined(number);
  }
  return id;
}

void SharedUsers::leave(Id id) {
  const auto found = users_.find(id);
  if (found == users_.end() || found->second.connections == 0) return;
  --found->second.connections;
  check(id);
}

// Whether the log must be told something, or the user is forgotten.
void SharedUsers::check(Id id) {
  const auto found = users_.find(id);
  const User& user = found->second;
  changed_.erase(id);
  if (user.is_sending) return;
  const bool is_here = user.connections > 0;
  if (is_here != user.is_in_log) {
    changed_.insert(id);
  } else if (!is_here) {
    if (!user.who.identity.empty()) by_identity_.erase(user.who.identity);
    users_.erase(found);
  }
}

std::vector<SharedUsers::Change> SharedUsers::take_changes(std::size_t count_max) {
  std::vector<Change> changes;
  while (!changed_.empty() && changes.size() < count_max) {
    const Id id = *changed_.begin();
    changed_.erase(changed_.begin());
    User& user = users_.at(id);
    user.is_sending = true;
    Change& change = changes.emplace_back();
    change.id = id;
    if (user.connections > 0) {
      change.request = user.who;
    } else {
      change.request = SharedLeave{.user = user.who.number};
    }
  }
  return changes;
}

void SharedUsers::applied(const Change& change, UserNumber number) {
  const auto found = users_.find(change.id);
  if (found == users_.end()) return;
  User& user = found->second;
  user.is_sending = false;
  const bool is_join = std::holds_alternative<SharedJoin>(change.request);
  user.is_in_log = is_join && number != 0;
  if (user.is_in_log) user.who.number = number;
  // There are too many users: they are refused, and nothing is asked again.
  if (is_join && number == 0) user.connections = 0;
  std::vector<Joined> waiting = std::exchange(user.waiting, {});
  check(change.id);
  for (Joined& joined : waiting) joined(number);
}

std::vector<UserNumber> SharedUsers::agree(const std::set<UserNumber>& in_log) {
  std::set<UserNumber> strangers = in_log;
  std::vector<Id> ids;
  for (auto& [id, user] : users_) {
    user.is_in_log = user.who.number != 0 && in_log.contains(user.who.number);
    strangers.erase(user.who.number);
    ids.push_back(id);
  }
  for (const Id id : ids) check(id);
  return {strangers.begin(), strangers.end()};
}

void SharedUsers::forget_sent() {
  std::vector<Id> ids;
  for (auto& [id, user] : users_) {
    if (std::exchange(user.is_sending, false)) ids.push_back(id);
  }
  for (const Id id : ids) check(id);
}

void SharedUsers::refuse_waiting() {
  std::vector<Joined> refused;
  for (auto& [id, user] : users_) {
    for (Joined& joined : std::exchange(user.waiting, {})) refused.push_back(std::move(joined));
  }
  for (Joined& joined : refused) joined(0);
}

}  // namespace fanfare::canvasserver
