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

User* Users::join(std::string_view identity, std::string_view name, std::string_view payer,
                  UserNumber wanted) {
  User* user = nullptr;
  if (const auto known = by_identity_.find(std::string(identity));
      !identity.empty() && known != by_identity_.end()) {
    Slot& slot = *users_.at(known->second);
    user = &slot.user;
    if (user->connections == 0) left_.erase(slot.in_left);
  } else {
    if (next_ == kUserNumberMax || !make_room()) return nullptr;
    const bool is_free = wanted != 0 && wanted < next_ && !users_.contains(wanted);
    user = add(identity, is_free ? wanted : next_++);
  }
  ++user->connections;
  user->name = name;
  remember_payer(*user, payer);
  return user;
}

User* Users::add(std::string_view identity, UserNumber number) {
  auto made = std::make_unique<Slot>();
  made->user.number = number;
  made->user.identity = identity;
  if (!identity.empty()) by_identity_.emplace(identity, number);
  return &users_.emplace(number, std::move(made)).first->second->user;
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

UserNumber Users::number_of(std::string_view identity) const {
  const auto found = by_identity_.find(std::string(identity));
  return found == by_identity_.end() ? 0 : found->second;
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

std::vector<UserNumber> Users::connected() const {
  std::vector<UserNumber> numbers;
  for (const auto& [number, slot] : users_) {
    if (slot->user.connections > 0) numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

// Those who have left come in the order in which they are forgotten.
void Users::save(WireWriter& out) const {
  const auto write = [&out](const User& user) {
    out.varint(user.number);
    out.varint(user.connections);
    out.varint(user.last_draw);
    out.text(user.identity);
    out.text(user.name);
    out.varint(user.payers.size());
    for (const std::string& payer : user.payers) out.text(payer);
  };
  out.varint(next_);
  out.varint(users_.size());
  for_each_connected(write);
  for (const UserNumber number : left_) write(users_.at(number)->user);
}

bool Users::load(WireReader& in) {
  FANFARE_CHECK(users_.empty());
  const auto next = in.varint32();
  const auto count = in.varint32();
  if (!next || !count || *next == 0) return false;
  next_ = *next;
  for (std::uint32_t i = 0; i < *count; ++i) {
    if (!load_user(in)) return false;
  }
  return true;
}

std::uint64_t Users::last_draw_max() const {
  std::uint64_t most = 0;
  for (const auto& [number, slot] : users_) most = std::max(most, slot->user.last_draw);
  return most;
}

bool Users::load_user(WireReader& in) {
  const auto number = in.varint32();
  const auto connections = in.varint32();
  const auto last_draw = in.varint64();
  const auto identity = in.text();
  const auto name = in.text();
  const auto payers = in.varint32();
  if (!number || !connections || !last_draw || !identity || !name || !payers) return false;
  if (*number == 0 || *number >= next_ || users_.contains(*number) || *payers > User::kPayersMax)
    return false;
  if (*connections == 0 && identity->empty()) return false;
  if (by_identity_.contains(std::string(*identity))) return false;
  User& user = *add(*identity, *number);
  user.connections = *connections;
  user.last_draw = *last_draw;
  user.name = *name;
  for (std::uint32_t i = 0; i < *payers; ++i) {
    const auto payer = in.text();
    if (!payer) return false;
    user.payers.emplace_back(*payer);
  }
  if (*connections == 0) users_.at(*number)->in_left = left_.insert(left_.end(), *number);
  return true;
}

}  // namespace fanfare::canvas
