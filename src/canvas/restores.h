#pragma once
// What moderators give back, divided among ticks. One thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "canvas/board.h"
#include "canvas/limits.h"
#include "canvas/past.h"
#include "canvas/taken_back.h"
#include "canvas/undo_log.h"

namespace fanfare::canvas {

class Restores {
 public:
  // All outlive it.
  Restores(const Limits& limits, Board& board, UndoLog& undo, TakenBackOfTick& taken_back)
      : limits_(limits), board_(board), undo_(undo), taken_back_(taken_back) {}

  // `only_of`: the user of an undo_user, otherwise 0. Returns how many pixels will change. Beyond
  // restored_pixels_waiting_max the rest is left out.
  std::size_t add(UserNumber only_of, const Restoration& found);
  bool is_empty() const { return waiting_.empty(); }
  // At most restored_pixels_per_tick_max.
  void apply();

 private:
  struct Restore {
    UserNumber only_of = 0;  // 0: of any user
    std::uint64_t from = 0;
    std::vector<RestoredPixel> pixels;  // those of a place one after the other
    std::size_t next = 0;
  };

  bool is_possible(const RestoredPixel& pixel) const;
  Shown shown_at(std::uint16_t x, std::uint16_t y) const;
  // What a place will show. `place`: its pixels of the Restore.
  Shown shown_after(const Restore& restore, std::span<const RestoredPixel> place) const;
  void restore_place(const Restore& restore, std::span<const RestoredPixel> place);

  const Limits& limits_;
  Board& board_;
  UndoLog& undo_;
  TakenBackOfTick& taken_back_;
  std::deque<Restore> waiting_;
  std::size_t pixels_ = 0;  // that wait
};

}  // namespace fanfare::canvas
