#include "canvas/presence.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

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

namespace {

// Characters without a picture: spaces, joiners, marks of direction, variation selectors, fillers, tags. Sorted.
struct CharacterRange {
  char32_t first, last;
};
constexpr CharacterRange kInvisible[] = {
    {0x0020, 0x0020},   {0x00A0, 0x00A0}, {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C},
    {0x115F, 0x1160},   {0x1680, 0x1680}, {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x2000, 0x200F},
    {0x2028, 0x202F},   {0x205F, 0x206F}, {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
    {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0x1D173, 0x1D17A},
    {0xE0000, 0xE0FFF},
};

bool is_invisible(char32_t character) {
  return std::ranges::any_of(kInvisible, [character](const CharacterRange& range) {
    return character >= range.first && character <= range.last;
  });
}

// The first character of valid UTF-8, which is taken off.
char32_t take_character(std::string_view& text) {
  const auto first = static_cast<std::uint8_t>(text[0]);
  const std::size_t bytes = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t character = bytes == 1 ? first : first & (0xFFU >> (bytes + 1));
  for (const char byte : text.substr(1, bytes - 1)) {
    character = (character << 6U) | (static_cast<std::uint8_t>(byte) & 0x3FU);
  }
  text.remove_prefix(bytes);
  return character;
}

}  // namespace

bool is_valid_name(std::string_view name) {
  // A character has at most four bytes.
  if (name.size() > kNameCharactersMax * 4 || !ws::is_valid_utf8(as_bytes(name))) return false;
  bool is_visible = name.empty();
  std::size_t characters = 0;
  while (!name.empty()) {
    const char32_t character = take_character(name);
    const bool is_control = character < 0x20 || (character >= 0x7F && character < 0xA0);
    if (is_control || ++characters > kNameCharactersMax) return false;
    is_visible = is_visible || !is_invisible(character);
  }
  return is_visible;
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
  if (here_.emplace(user, std::move(person)).second) changed_.insert(user);
}

void Presence::leave(UserNumber user) {
  if (here_.erase(user) > 0) changed_.insert(user);
}

const Person* Presence::find(UserNumber user) const {
  const auto found = here_.find(user);
  return found == here_.end() ? nullptr : &found->second;
}

void Presence::add_known(const Person& person) {
  order_.push_back(person.user);
  known_.emplace(person.user, Known{.person = person, .place = std::prev(order_.end())});
}

std::optional<PresenceDelta> Presence::take_delta(Instant now) {
  if (changed_.empty()) return std::nullopt;
  if (last_delta_ && now - *last_delta_ < limits_.presence_interval) return std::nullopt;
  PresenceDelta delta{.total = static_cast<std::uint32_t>(here_.size()), .joined = {}, .left = {}};
  for (auto change = changed_.begin(); change != changed_.end();) {
    const auto here = here_.find(*change);
    const auto known = known_.find(*change);
    const bool is_here = here != here_.end();
    const bool is_known = known != known_.end();
    // A user who came back under another name is reported as gone now, and as joined in the next message.
    const bool has_left = is_known && (!is_here || here->second != known->second.person);
    const bool has_joined = is_here && !is_known;
    const bool is_full = (has_left && delta.left.size() >= limits_.presence_left_max) ||
                         (has_joined && delta.joined.size() >= limits_.presence_joined_max);
    if (!is_full && has_left) {
      delta.left.push_back(*change);
      order_.erase(known->second.place);
      known_.erase(known);
    } else if (!is_full && has_joined) {
      delta.joined.push_back(here->second);
      add_known(here->second);
    }
    change = is_full || (has_left && is_here) ? std::next(change) : changed_.erase(change);
  }
  if (delta.joined.empty() && delta.left.empty()) return std::nullopt;
  last_delta_ = now;
  return delta;
}

void Presence::forget_news() {
  known_.clear();
  order_.clear();
  changed_.clear();
  for (const auto& [user, person] : here_) add_known(person);
}

PresenceDelta Presence::list(const Person& asker) const {
  const std::size_t total = known_.size() + (known_.contains(asker.user) ? 0 : 1);
  PresenceDelta all{.total = static_cast<std::uint32_t>(total), .joined = {}, .left = {}};
  const Person* const here = find(asker.user);
  all.joined.push_back(here == nullptr ? asker : *here);
  for (auto user = order_.rbegin(); user != order_.rend() && all.joined.size() < limits_.presence_listed_max;
       ++user) {
    if (*user != asker.user) all.joined.push_back(known_.at(*user).person);
  }
  return all;
}

UserPage Presence::page(UserNumber after, UserNumber asker) const {
  UserPage page;
  auto next = known_.upper_bound(after);
  const Person* extra = asker > after && !known_.contains(asker) ? find(asker) : nullptr;
  while (page.users.size() < limits_.presence_listed_max && (extra != nullptr || next != known_.end())) {
    if (extra != nullptr && (next == known_.end() || asker < next->first)) {
      page.users.push_back(*std::exchange(extra, nullptr));
    } else {
      page.users.push_back(next->second.person);
      ++next;
    }
  }
  page.is_complete = extra == nullptr && next == known_.end();
  return page;
}

}  // namespace fanfare::canvas
