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

  bool operator==(const RestoredPixel&) const = default;
};

class Past {
 public:
  Past() = default;
  virtual ~Past() = default;
  Past(const Past&) = delete;
  Past& operator=(const Past&) = delete;

  // The last `count_max` pixels that were drawn at a place, the newest first.
  virtual std::vector<PastPixel> drawn_at(std::uint16_t x, std::uint16_t y, std::size_t count_max) = 0;
  // Each place where `user` has drawn at or after `since_ms`, as if he had not: the last pixel there of somebody else
  // since then, or else the pixel as it was before `since_ms`. Each place once.
  virtual std::vector<RestoredPixel> without_user(UserNumber user, std::int64_t since_ms) = 0;
  // Each place of the area that has changed after `at_ms`, as it was at that time. Each place once.
  virtual std::vector<RestoredPixel> as_at(const Area& area, std::int64_t at_ms) = 0;
};

// The pixels for Room::restore(). `event` is not a ban; its at_ms is the moment, 0 for all that the log has.
std::vector<RestoredPixel> restore_for(const ModerationEvent& event, const RoomSpec& spec, Past& past);

}  // namespace fanfare::canvas
