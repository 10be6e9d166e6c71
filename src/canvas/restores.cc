#include "canvas/restores.h"

#include <algorithm>

namespace fanfare::canvas {
namespace {

// The pixels of the next place.
std::span<const RestoredPixel> place_at(std::span<const RestoredPixel> pixels) {
  std::size_t size = 1;
  while (size < pixels.size() && pixels[size].x == pixels[0].x && pixels[size].y == pixels[0].y) ++size;
  return pixels.first(size);
}

}  // namespace

Shown Restores::shown_at(std::uint16_t x, std::uint16_t y) const {
  return {.author = board_.author_at(x, y), .colour = board_.colour_at(x, y)};
}

Shown Restores::shown_after(const Restore& restore, std::span<const RestoredPixel> place) const {
  const RestoredPixel& pixel = place.front();
  if (restore.only_of == 0) return {.author = pixel.author, .colour = pixel.colour};
  return undo_.without_user(restore.only_of, restore.from, place, shown_at(pixel.x, pixel.y));
}

std::size_t Restores::add(UserNumber only_of, const Restoration& found) {
  Restore restore{.only_of = only_of, .from = found.from, .pixels = {}};
  // Those that change come first, then those whose strokes beneath are taken back.
  std::size_t count = 0;
  for (const bool changes : {true, false}) {
    std::span<const RestoredPixel> rest = found.pixels;
    while (!rest.empty()) {
      const auto place = place_at(rest);
      rest = rest.subspan(place.size());
      if (!std::ranges::all_of(place, [this](const RestoredPixel& pixel) { return is_possible(pixel); }))
        continue;
      const bool does = shown_after(restore, place) != shown_at(place.front().x, place.front().y);
      if (does != changes) continue;
      if (pixels_ + place.size() > limits_.restored_pixels_waiting_max) break;
      restore.pixels.insert(restore.pixels.end(), place.begin(), place.end());
      pixels_ += place.size();
      if (does) ++count;
    }
  }
  if (!restore.pixels.empty()) waiting_.push_back(std::move(restore));
  return count;
}

bool Restores::is_possible(const RestoredPixel& pixel) const {
  return has_pixel(board_.spec(), pixel.x, pixel.y) && pixel.colour < board_.spec().colour_end();
}

void Restores::restore_place(const Restore& restore, std::span<const RestoredPixel> place) {
  const std::uint16_t x = place.front().x;
  const std::uint16_t y = place.front().y;
  const Shown after = shown_after(restore, place);
  const bool changes = after != shown_at(x, y);
  if (restore.only_of == 0) {
    undo_.set_place(x, y, restore.from, after);
  } else {
    undo_.take_back_user(restore.only_of, restore.from, place);
  }
  if (changes) board_.restore({.x = x, .y = y, .colour = after.colour}, after.author);
  taken_back_.add(x, y, restore.only_of, restore.from, changes);
}

void Restores::apply() {
  std::size_t left = limits_.restored_pixels_per_tick_max;
  while (!waiting_.empty() && left > 0) {
    Restore& restore = waiting_.front();
    const auto place = place_at(std::span(restore.pixels).subspan(restore.next));
    restore_place(restore, place);
    restore.next += place.size();
    pixels_ -= place.size();
    left -= std::min(left, place.size());
    if (restore.next == restore.pixels.size()) waiting_.pop_front();
  }
}

}  // namespace fanfare::canvas
