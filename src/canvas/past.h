#pragma once
// What moderators need of a room's past. The room's log knows it; src/canvas only asks.
//
// A Past may be slow (a disk), and is never used on the room's thread: the thread that has it calls restore_for() and
// posts the result to the room, which takes it with Room::restore().

#include <cstdint>
#include <vector>

#include "canvas/place.h"
#include "canvas/tick.h"

namespace fanfare::canvas {

struct PastPixel {
  UserNumber user = 0;
  Colour colour = 0;
  std::int64_t time_ms = 0;  // since 1970-01-01 UTC

  bool operator==(const PastPixel&) const = default;
};

// A pixel as it was.
struct RestoredPixel {
  std::uint16_t x = 0;
  std::uint16_t y = 0;
  UserNumber author = 0;  // 0: nobody had drawn it, and `colour` is the background's
  Colour colour = 0;
  std::uint64_t tick = 0;  // in which it was drawn; 0: before the log, or it does not matter

  bool operator==(const RestoredPixel&) const = default;
};

// What a moderator's request finds in the past.
struct Restoration {
  std::uint64_t from =
      0;  // strokes in this tick and later ones are taken back; of undo_user, those of the user
  std::vector<RestoredPixel> pixels;

  bool operator==(const Restoration&) const = default;
};

class Past {
 public:
  Past() = default;
  virtual ~Past() = default;
  Past(const Past&) = delete;
  Past& operator=(const Past&) = delete;

  // The last `count_max` pixels that were drawn at a place, the newest first.
  virtual std::vector<PastPixel> drawn_at(std::uint16_t x, std::uint16_t y, std::size_t count_max) = 0;
  // Each place with a stroke of `user` at or after `since_ms` that nobody has taken back: what is left there without those.
  // That is the stroke (or what was before the log) beneath the oldest of them, and the others above it, the oldest first.
  // So a place has one pixel or more, one after the other.
  virtual Restoration without_user(UserNumber user, std::int64_t since_ms) = 0;
  // Each place of the area that has changed after `at_ms`, as it was at that time. Each place once.
  virtual Restoration as_at(const Area& area, std::int64_t at_ms) = 0;
};

// For Room::restore(). `event` is not a ban; its at_ms is the moment, 0 for all that the log has.
Restoration restore_for(const ModerationEvent& event, const RoomSpec& spec, Past& past);

}  // namespace fanfare::canvas
