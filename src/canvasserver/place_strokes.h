#pragma once
// The strokes of one place, replayed from a room's log: decision 0565.

#include <cstdint>
#include <limits>
#include <vector>

#include "canvas/past.h"
#include "canvas/tick.h"

namespace fanfare::canvasserver {

class PlaceStrokes {
 public:
  // What the place shows after the tick, where the replay begins: it may be older.
  void begin(std::uint64_t tick, canvas::UserNumber author, canvas::Colour colour);
  // In the order of the log; of one tick, what was taken back comes first.
  void take_back(const canvas::TakenBack& what);
  // What was taken back in the tick changed nothing that is visible: there is no show() for it.
  void end_tick();
  // What the place shows after a tick. `is_drawn`: as the log has it. Files of earlier versions do not say, so it counts as
  // drawn.
  void show(std::uint64_t tick, canvas::UserNumber author, canvas::Colour colour, bool is_drawn);

  // Appends what is left without the strokes of `user` from a tick on: see canvas::Past::without_user(). Nothing, if there
  // are none.
  void append_without(canvas::UserNumber user, std::uint64_t from, canvas::RestoredPixel blank,
                      std::vector<canvas::RestoredPixel>& out) const;

 private:
  static constexpr std::uint64_t kNoTick = std::numeric_limits<std::uint64_t>::max();
  struct Stroke {
    std::uint64_t tick = 0;
    canvas::UserNumber author = 0;
    canvas::Colour colour = 0;
    bool is_base = false;  // from before the replay
    bool is_left = true;   // it was not taken back
  };

  void give_back(canvas::UserNumber author, canvas::Colour colour);

  std::vector<Stroke> strokes_;  // by tick
  std::uint64_t all_from_ =
      kNoTick;                    // in this tick, everything from here on was taken back; kNoTick: it was not
  canvas::RestoredPixel before_;  // and this was visible before it
};

}  // namespace fanfare::canvasserver
