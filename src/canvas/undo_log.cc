#include "canvas/undo_log.h"

#include <cstdint>
#include <ranges>
#include <vector>

namespace fanfare::canvas {
namespace {

constexpr std::uint8_t kTakenBack = 1;
constexpr std::uint8_t kNewest = 2;

}  // namespace

std::uint64_t UndoLog::add(Drawn drawn) {
  if (pixels_max_ == 0) return 0;
  if (ring_.size() >= pixels_max_) {
    const Drawn& oldest = ring_.front();
    const auto place = newest_.find(place_of(oldest.x, oldest.y));
    if (place != newest_.end() && place->second == first_) newest_.erase(place);
    ring_.pop_front();
    ++first_;
  }
  std::uint64_t& newest = newest_[place_of(drawn.x, drawn.y)];
  drawn.below = newest;
  ring_.push_back(drawn);
  return newest = first_ + ring_.size() - 1;
}

const Drawn* UndoLog::find(std::uint64_t number) const {
  if (number < first_ || number - first_ >= ring_.size()) return nullptr;
  return &ring_[static_cast<std::size_t>(number - first_)];
}

Drawn* UndoLog::drawn_of(std::uint64_t number) {
  if (number < first_ || number - first_ >= ring_.size()) return nullptr;
  return &ring_[static_cast<std::size_t>(number - first_)];
}

std::uint64_t UndoLog::newest_at(std::uint16_t x, std::uint16_t y) const {
  const auto found = newest_.find(place_of(x, y));
  return found == newest_.end() ? 0 : found->second;
}

void UndoLog::set_previous(std::uint64_t number, std::uint64_t previous) {
  if (Drawn* const drawn = drawn_of(number)) drawn->previous = previous;
}

void UndoLog::set_newest(std::uint32_t place, std::uint64_t number) {
  if (find(number) == nullptr) {
    newest_.erase(place);
  } else {
    newest_[place] = number;
  }
}

void UndoLog::take_back(std::uint64_t number) {
  Drawn* const drawn = drawn_of(number);
  if (drawn == nullptr) return;
  drawn->is_taken_back = true;
  set_newest(place_of(drawn->x, drawn->y), drawn->below);
}

void UndoLog::set_place(std::uint16_t x, std::uint16_t y, std::uint64_t from, const Shown& shown) {
  while (const Drawn* const newest = find(newest_at(x, y))) {
    if (newest->tick < from) {
      if (Shown{.author = newest->user, .colour = newest->colour} == shown) return;
      // What is shown is not in this log, but above what is.
      from = 0;
    }
    take_back(newest_at(x, y));
  }
}

Shown UndoLog::base_of(const Drawn& oldest, UserNumber user, std::span<const RestoredPixel> left) {
  Shown base{.author = oldest.author_before, .colour = oldest.colour_before};
  if (base.author != user) return base;
  for (const RestoredPixel& pixel : left) {
    if (pixel.tick < oldest.tick) base = {.author = pixel.author, .colour = pixel.colour};
  }
  return base;
}

Shown UndoLog::without_user(UserNumber user, std::uint64_t from, std::span<const RestoredPixel> left,
                            const Shown& now) const {
  const Drawn* drawn = find(newest_at(left.front().x, left.front().y));
  if (drawn == nullptr) {
    if (now.author != user) return now;
    return {.author = left.back().author, .colour = left.back().colour};
  }
  for (;;) {
    if (drawn->user != user || drawn->tick < from) return {.author = drawn->user, .colour = drawn->colour};
    const Drawn* const below = find(drawn->below);
    if (below == nullptr) return base_of(*drawn, user, left);
    drawn = below;
  }
}

void UndoLog::take_back_user(UserNumber user, std::uint64_t from, std::span<const RestoredPixel> left) {
  const std::uint16_t x = left.front().x;
  const std::uint16_t y = left.front().y;
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t number = newest_at(x, y); const Drawn* const drawn = find(number); number = drawn->below)
    numbers.push_back(number);
  if (numbers.empty()) return;
  Shown beneath = base_of(*find(numbers.back()), user, left);
  std::uint64_t below = 0;
  for (const std::uint64_t number : numbers | std::views::reverse) {
    Drawn& drawn = *drawn_of(number);
    drawn.is_taken_back = drawn.user == user && drawn.tick >= from;
    if (drawn.is_taken_back) continue;
    drawn.below = below;
    drawn.author_before = beneath.author;
    drawn.colour_before = beneath.colour;
    beneath = {.author = drawn.user, .colour = drawn.colour};
    below = number;
  }
  set_newest(place_of(x, y), below);
}

void UndoLog::save(WireWriter& out) const {
  out.varint(first_);
  out.varint(ring_.size());
  std::uint64_t number = first_;
  for (const Drawn& drawn : ring_) {
    const bool is_newest = newest_at(drawn.x, drawn.y) == number++;
    out.u8(static_cast<std::uint8_t>((drawn.is_taken_back ? kTakenBack : 0) | (is_newest ? kNewest : 0)));
    out.u16(drawn.x);
    out.u16(drawn.y);
    out.varint(drawn.user);
    out.varint(drawn.author_before);
    out.varint(drawn.colour);
    out.varint(drawn.colour_before);
    out.varint(drawn.tick);
    out.varint(drawn.previous);
    out.varint(drawn.below);
  }
}

bool UndoLog::load(WireReader& in, const RoomSpec& spec) {
  const auto first = in.varint64();
  const auto count = in.varint64();
  if (!first || !count || *first == 0 || *count > pixels_max_ || *first > UINT64_MAX - *count) return false;
  first_ = *first;
  for (std::uint64_t i = 0; i < *count; ++i) {
    if (!load_one(in, spec)) return false;
  }
  return true;
}

bool UndoLog::load_one(WireReader& in, const RoomSpec& spec) {
  const auto flags = in.u8();
  const auto x = in.u16();
  const auto y = in.u16();
  const auto user = in.varint32();
  const auto author_before = in.varint32();
  const auto colour = in.varint32();
  const auto colour_before = in.varint32();
  const auto tick = in.varint64();
  const auto previous = in.varint64();
  const auto below = in.varint64();
  if (!flags || !x || !y || !user || !author_before || !colour || !colour_before || !tick || !previous ||
      !below) {
    return false;
  }
  // Lists of strokes go back: one that does not would never end.
  const std::uint64_t number = next();
  if (*flags > (kTakenBack | kNewest) || *previous >= number || *below >= number ||
      !has_pixel(spec, *x, *y) || *colour >= spec.colour_end() || *colour_before >= spec.colour_end()) {
    return false;
  }
  if (const Drawn* const beneath = find(*below); beneath != nullptr && (beneath->x != *x || beneath->y != *y))
    return false;
  ring_.push_back({.x = *x,
                   .y = *y,
                   .user = *user,
                   .author_before = *author_before,
                   .colour = *colour,
                   .colour_before = *colour_before,
                   .is_taken_back = (*flags & kTakenBack) != 0,
                   .tick = *tick,
                   .previous = *previous,
                   .below = *below});
  const bool is_newest = (*flags & kNewest) != 0;
  return !is_newest || newest_.emplace(place_of(*x, *y), number).second;
}

}  // namespace fanfare::canvas
