#include "canvasserver/place_strokes.h"

#include <algorithm>
#include <ranges>

namespace fanfare::canvasserver {

using canvas::Colour;
using canvas::RestoredPixel;
using canvas::UserNumber;

void PlaceStrokes::begin(std::uint64_t tick, UserNumber author, Colour colour) {
  if (author != 0) strokes_.push_back({.tick = tick, .author = author, .colour = colour, .is_base = true});
}

void PlaceStrokes::take_back(const canvas::TakenBack& what) {
  if (what.user == 0 && all_from_ == kNoTick) {
    const auto newest = std::ranges::find(strokes_ | std::views::reverse, true, &Stroke::is_left);
    before_ = {};
    if (newest != strokes_.rend()) before_ = {.author = newest->author, .colour = newest->colour};
  }
  for (Stroke& stroke : strokes_ | std::views::reverse) {
    if (stroke.tick < what.from) break;
    // Whether a user's strokes from before the replay are meant is not known.
    const bool is_meant = what.user == 0 || (what.user == stroke.author && !stroke.is_base);
    if (is_meant) stroke.is_left = false;
  }
  if (what.user == 0) all_from_ = std::min(all_from_, what.from);
}

void PlaceStrokes::end_tick() {
  if (all_from_ != kNoTick) show(0, before_.author, before_.colour, false);
}

void PlaceStrokes::show(std::uint64_t tick, UserNumber author, Colour colour, bool is_drawn) {
  if (author == 0) {
    for (Stroke& stroke : strokes_) stroke.is_left = false;
  } else if (is_drawn) {
    strokes_.push_back({.tick = tick, .author = author, .colour = colour});
  } else {
    give_back(author, colour);
  }
  all_from_ = kNoTick;
}

// What is visible was beneath. It may be a stroke that was taken back before, or one that this log never had.
void PlaceStrokes::give_back(UserNumber author, Colour colour) {
  const auto is_it = [&](const Stroke& stroke) { return stroke.author == author && stroke.colour == colour; };
  auto newest = std::ranges::find(strokes_ | std::views::reverse, true, &Stroke::is_left);
  if (newest != strokes_.rend() && is_it(*newest)) return;
  const auto found = std::ranges::find_if(strokes_ | std::views::reverse, [&](const Stroke& stroke) {
    return stroke.tick < all_from_ && is_it(stroke);
  });
  if (found != strokes_.rend()) {
    for (auto later = strokes_.rbegin(); later != found; ++later) later->is_left = false;
    found->is_left = true;
    return;
  }
  // Before all that was taken back with it.
  const auto at = std::ranges::lower_bound(strokes_, all_from_, {}, &Stroke::tick);
  std::uint64_t tick = all_from_;
  if (tick == kNoTick) tick = strokes_.empty() ? 0 : strokes_.back().tick;
  strokes_.insert(at, {.tick = tick, .author = author, .colour = colour});
}

void PlaceStrokes::append_without(UserNumber user, std::uint64_t from, RestoredPixel blank,
                                  std::vector<RestoredPixel>& out) const {
  const auto goes = [&](const Stroke& stroke) {
    return stroke.author == user && stroke.tick >= from && !stroke.is_base;
  };
  const auto oldest =
      std::ranges::find_if(strokes_, [&](const Stroke& stroke) { return stroke.is_left && goes(stroke); });
  if (oldest == strokes_.end()) return;
  for (auto stroke = strokes_.begin(); stroke != oldest; ++stroke) {
    if (!stroke->is_left) continue;
    blank.author = stroke->author;
    blank.colour = stroke->colour;
    blank.tick = stroke->is_base ? 0 : stroke->tick;
  }
  out.push_back(blank);
  for (auto stroke = oldest; stroke != strokes_.end(); ++stroke) {
    if (!stroke->is_left || goes(*stroke)) continue;
    out.push_back({.x = blank.x,
                   .y = blank.y,
                   .author = stroke->author,
                   .colour = stroke->colour,
                   .tick = stroke->tick});
  }
}

}  // namespace fanfare::canvasserver
