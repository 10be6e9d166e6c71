// What users and moderators take back: see decision 0565.
#include <cstdint>
#include <unordered_set>

#include "base/check.h"
#include "canvas/room.h"

namespace fanfare::canvas {

DrawResult Room::undo(const Actor& actor, std::uint32_t count, Now now) {
  if (auto problem = undo_problem(actor, now)) return {.error = std::move(problem)};
  return take_back(*users_.find(actor.user), count, limits_.pixels_per_tick_max);
}

std::optional<ProtocolError> Room::undo_problem(const Actor& actor, Now now) const {
  const User* const user = users_.find(actor.user);
  if (user == nullptr) return error_of(ErrorCode::not_permitted, "you have left");
  return change_problem(actor, *user, now);
}

DrawResult Room::undo_admitted(UserNumber user, std::uint32_t count) {
  User* const there = users_.find(user);
  if (there == nullptr) return {.error = error_of(ErrorCode::not_permitted, "you have left")};
  return take_back(*there, count, SIZE_MAX);
}

DrawResult Room::draw_admitted(UserNumber user, std::span<const Pixel> pixels) {
  User* const there = users_.find(user);
  if (there == nullptr) return {.error = error_of(ErrorCode::not_permitted, "you have left")};
  DrawResult result;
  for (const Pixel& pixel : pixels) {
    ++result.accepted;
    if (!has_pixel(spec(), pixel.x, pixel.y) || pixel.colour >= spec().colour_end()) continue;
    begun_.erase(chunk_of(pixel.x, pixel.y).key());
    draw_one(*there, pixel);
  }
  return result;
}

std::size_t Room::restore_admitted(ModerationEvent event, const Restoration& found, bool is_more) {
  const std::size_t count =
      restores_.add(event.kind == ModerationEvent::Kind::undo_user ? event.user : 0, found);
  if (!is_more) events_.push_back(std::move(event));
  return count;
}

DrawResult Room::take_back(User& user, std::uint32_t count, std::size_t tick_pixels_max) {
  DrawResult result;
  // One that somebody has drawn over is passed, and stays: it may be the user's again. Of these undo_passed_max stay, so
  // the work is limited by that and by what was drawn.
  std::uint64_t number = user.last_draw;
  std::uint64_t kept = 0;  // the last one that stays; 0: none
  std::size_t passed = 0;
  std::unordered_set<std::uint32_t> places;
  for (std::uint32_t strokes = 0; strokes < count;) {
    const Drawn* const drawn = undo_.find(number);
    if (drawn == nullptr) break;
    if (tick_pixels_ >= tick_pixels_max) {
      result.error = too_many_pixels("too many pixels come at the same time", limits_.tick_max);
      break;
    }
    const std::uint64_t previous = drawn->previous;
    const bool is_visible = undo_.newest_at(drawn->x, drawn->y) == number;
    if (!is_visible && !drawn->is_taken_back && passed < limits_.undo_passed_max) {
      ++passed;
      kept = number;
      number = previous;
      continue;
    }
    // It is taken out of the user's list.
    if (kept == 0) {
      user.last_draw = previous;
    } else {
      undo_.set_previous(kept, previous);
    }
    if (is_visible) {
      board_.restore({.x = drawn->x, .y = drawn->y, .colour = drawn->colour_before}, drawn->author_before);
      taken_back_.add(drawn->x, drawn->y, 0, drawn->tick, true);
      places.insert((std::uint32_t{drawn->y} << 16U) | drawn->x);
      undo_.take_back(number);
      ++tick_pixels_;
      ++strokes;
    }
    number = previous;
  }
  result.accepted = static_cast<std::uint32_t>(places.size());
  return result;
}

std::expected<std::size_t, ProtocolError> Room::restore(const Actor& actor, ModerationEvent event,
                                                        const Restoration& found) {
  FANFARE_CHECK(event.kind != ModerationEvent::Kind::ban);
  if (auto problem = moderation_problem(actor)) return std::unexpected(*std::move(problem));
  if (!storage_is_writable_) {
    return std::unexpected(error_of(ErrorCode::storage_full, "the server cannot store pixels at the moment"));
  }
  const std::size_t count =
      restores_.add(event.kind == ModerationEvent::Kind::undo_user ? event.user : 0, found);
  event.moderator = actor.user;
  events_.push_back(std::move(event));
  return count;
}

}  // namespace fanfare::canvas
