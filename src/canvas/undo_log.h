#pragma once
// The last pixels that were drawn in a room, so that their authors can take them back. One ring for all users, so its
// memory is limited: the oldest pixel of all users is forgotten first. One thread.

#include <cstdint>
#include <deque>
#include <optional>

#include "canvas/place.h"

namespace fanfare::canvas {

struct Drawn {
  std::uint16_t x = 0;
  std::uint16_t y = 0;
  UserNumber user = 0;
  UserNumber author_before = 0;
  Colour colour = 0;
  Colour colour_before = 0;
  std::uint64_t previous = 0;  // the number of the same user's pixel before; 0: none
};

class UndoLog {
 public:
  explicit UndoLog(std::size_t pixels_max) : pixels_max_(pixels_max) {}

  // The number of the pixel, from 1; 0 if pixels_max is 0.
  std::uint64_t add(const Drawn& drawn);
  // Null: it was forgotten, or `number` is 0. Until the next add().
  const Drawn* find(std::uint64_t number) const;
  // Of one that was not forgotten: takes out what is between it and `previous`.
  void set_previous(std::uint64_t number, std::uint64_t previous);
  std::size_t size() const { return ring_.size(); }

 private:
  std::size_t pixels_max_;
  std::deque<Drawn> ring_;
  std::uint64_t first_ = 1;  // of ring_.front()
};

}  // namespace fanfare::canvas
