#include "canvas/presence.h"

#include <algorithm>
#include <charconv>
#include <iterator>

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
  if (here_.contains(user)) return;
  order_.push_back(user);
  here_.emplace(user, Here{.person = std::move(person), .place = std::prev(order_.end())});
  changed_.try_emplace(user);
}

void Presence::leave(UserNumber user) {
  const auto found = here_.find(user);
  if (found == here_.end()) return;
  order_.erase(found->second.place);
  here_.erase(found);
  changed_.try_emplace(user, Known{.was_here = true});
}

const Person* Presence::find(UserNumber user) const {
  const auto found = here_.find(user);
  return found == here_.end() ? nullptr : &found->second.person;
}

std::optional<PresenceDelta> Presence::take_delta(Instant now) {
  if (changed_.empty()) return std::nullopt;
  if (last_delta_ && now - *last_delta_ < limits_.presence_interval) return std::nullopt;
  PresenceDelta delta{.total = static_cast<std::uint32_t>(here_.size()), .joined = {}, .left = {}};
  for (auto change = changed_.begin(); change != changed_.end();) {
    const auto [user, known] = *change;
    const auto found = here_.find(user);
    const bool is_here = found != here_.end();
    // Whoever saw him in a list must hear that he left, also if the others never knew.
    const bool has_changed = is_here ? !known.was_here : known.was_here || known.is_listed;
    const bool is_full = is_here ? delta.joined.size() >= limits_.presence_joined_max
                                 : delta.left.size() >= limits_.presence_left_max;
    if (has_changed && is_full) {
      ++change;
      continue;
    }
    if (has_changed && is_here) delta.joined.push_back(found->second.person);
    if (has_changed && !is_here) delta.left.push_back(user);
    change = changed_.erase(change);
  }
  if (delta.joined.empty() && delta.left.empty()) return std::nullopt;
  last_delta_ = now;
  return delta;
}

const Person& Presence::listed(const Here& here) {
  if (const auto change = changed_.find(here.person.user); change != changed_.end())
    change->second.is_listed = true;
  return here.person;
}

PresenceDelta Presence::list() {
  PresenceDelta all{.total = static_cast<std::uint32_t>(here_.size()), .joined = {}, .left = {}};
  for (auto user = order_.rbegin(); user != order_.rend() && all.joined.size() < limits_.presence_listed_max;
       ++user) {
    all.joined.push_back(listed(here_.at(*user)));
  }
  return all;
}

UserPage Presence::page(UserNumber after) {
  UserPage page;
  auto next = here_.upper_bound(after);
  for (; next != here_.end() && page.users.size() < limits_.presence_listed_max; ++next) {
    page.users.push_back(listed(next->second));
  }
  page.is_complete = next == here_.end();
  return page;
}

}  // namespace fanfare::canvas
