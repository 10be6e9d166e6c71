#include "canvas/presence.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "base/bytes.h"
#include "ws/utf8.h"

namespace fanfare::canvas {

std::string user_id_of(UserNumber user) {
  std::string id = "u";
  id += std::to_string(user);
  return id;
}

std::optional<UserNumber> user_number_of(std::string_view user_id) {
  if (user_id.size() < 2 || user_id[0] != 'u' || user_id[1] == '0') return std::nullopt;
  UserNumber user = 0;
  const char* const end = user_id.data() + user_id.size();
  const auto [at, error] = std::from_chars(user_id.data() + 1, end, user);
  if (error != std::errc() || at != end) return std::nullopt;
  return user;
}

bool is_valid_name(std::string_view name) {
  // A character has at most four bytes.
  if (name.size() > kNameCharactersMax * 4 || !ws::is_valid_utf8(as_bytes(name))) return false;
  std::size_t characters = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(name[i]);
    // C0 and DEL; C1 is C2 80 to C2 9F.
    if (byte < 0x20 || byte == 0x7F) return false;
    if (byte == 0xC2 && static_cast<std::uint8_t>(name[i + 1]) < 0xA0) return false;
    if ((byte & 0xC0U) != 0x80) ++characters;
  }
  return characters <= kNameCharactersMax;
}

bool is_valid_session(std::string_view session) {
  return session.size() >= kSessionBytesMin && session.size() <= kSessionBytesMax &&
         std::ranges::all_of(session, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_';
         });
}

void Presence::join(Person person) {
  const UserNumber user = person.user;
  if (!here_.emplace(user, std::move(person)).second) return;
  changed_.try_emplace(user, false);
  order_.push_back(user);
  if (order_.size() > 2 * here_.size() + limits_.presence_listed_max) {
    std::erase_if(order_, [&](UserNumber one) { return !here_.contains(one); });
  }
}

void Presence::leave(UserNumber user) {
  if (here_.erase(user) != 0) changed_.try_emplace(user, true);
}

const Person* Presence::find(UserNumber user) const {
  const auto found = here_.find(user);
  return found == here_.end() ? nullptr : &found->second;
}

std::optional<PresenceDelta> Presence::take_delta(Instant now) {
  if (changed_.empty()) return std::nullopt;
  if (last_delta_ && now - *last_delta_ < limits_.presence_interval) return std::nullopt;
  PresenceDelta delta{.total = static_cast<std::uint32_t>(here_.size()), .joined = {}, .left = {}};
  bool has_changed = false;
  for (const auto& [user, was_here] : changed_) {
    const auto found = here_.find(user);
    const bool is_here = found != here_.end();
    if (is_here == was_here) continue;
    has_changed = true;
    if (is_here && delta.joined.size() < limits_.presence_joined_max) delta.joined.push_back(found->second);
    if (!is_here && delta.left.size() < limits_.presence_left_max) delta.left.push_back(user);
  }
  changed_.clear();
  if (!has_changed) return std::nullopt;
  last_delta_ = now;
  return delta;
}

PresenceDelta Presence::list() const {
  PresenceDelta all{.total = static_cast<std::uint32_t>(here_.size()), .joined = {}, .left = {}};
  std::unordered_set<UserNumber> listed;
  for (auto user = order_.rbegin(); user != order_.rend() && all.joined.size() < limits_.presence_listed_max;
       ++user) {
    const auto found = here_.find(*user);
    if (found != here_.end() && listed.insert(*user).second) all.joined.push_back(found->second);
  }
  return all;
}

}  // namespace fanfare::canvas
