#include "canvas/users.h"

#include <algorithm>

#include "base/check.h"

namespace fanfare::canvas {
namespace {

void remember_payer(User& user, std::string_view payer) {
  if (payer.empty()) return;
  const auto found = std::ranges::find(user.payers, payer);
  if (found == user.payers.end()) {
    if (user.payers.size() >= User::kPayersMax) user.payers.pop_back();
    user.payers.insert(user.payers.begin(), std::string(payer));
  } else {
    std::rotate(user.payers.begin(), found, found + 1);
  }
}

}  // namespace

User* Users::join(std::string_view identity, std::string_view name, std::string_view payer) {
  Slot* slot = nullptr;
  if (const auto known = by_identity_.find(std::string(identity));
      !identity.empty() && known != by_identity_.end()) {
    slot = users_.at(known->second).get();
    if (slot->user.connections == 0) left_.erase(slot->in_left);
  } else {
    if (next_ == kUserNumberMax || !make_room()) return nullptr;
    auto made = std::make_unique<Slot>();
    made->user.number = next_++;
    made->user.identity = identity;
    slot = made.get();
    if (!identity.empty()) by_identity_.emplace(identity, slot->user.number);
    users_.emplace(slot->user.number, std::move(made));
  }
  ++slot->user.connections;
  slot->user.name = name;
  remember_payer(slot->user, payer);
  return &slot->user;
}

bool Users::make_room() {
  if (users_.size() < limits_.users_max) return true;
  if (left_.empty()) return false;
  forget(left_.front());
  return true;
}

void Users::forget(UserNumber user) {
  const auto found = users_.find(user);
  Slot& slot = *found->second;
  if (!slot.user.identity.empty()) {
    by_identity_.erase(slot.user.identity);
    left_.erase(slot.in_left);
  }
  users_.erase(found);
}

bool Users::leave(UserNumber user) {
  Slot& slot = *users_.at(user);
  FANFARE_CHECK(slot.user.connections > 0);
  if (--slot.user.connections > 0) return false;
  if (slot.user.identity.empty()) {
    forget(user);
  } else {
    slot.in_left = left_.insert(left_.end(), user);
  }
  return true;
}

void Users::shift_cooldowns(Duration by) {
  if (by == Duration::zero()) return;
  for (const auto& [number, slot] : users_) {
    // A user who has not drawn yet has no cooldown.
    if (slot->user.next_pixel != Instant{}) slot->user.next_pixel = saturating_add(slot->user.next_pixel, by);
  }
}

User* Users::find(UserNumber user) {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second->user;
}

const User* Users::find(UserNumber user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second->user;
}

}  // namespace fanfare::canvas
