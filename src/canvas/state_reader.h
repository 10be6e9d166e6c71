#pragma once
// The canvas_state of an area for JSON clients, in messages of at most kStatePixelsMax pixels. Between two of them ticks
// may end: a message has the pixels as of the tick before it, so it belongs in the outbox in order with pixel_changed.
// One thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "canvas/board.h"
#include "canvas/place.h"

namespace fanfare::canvas {

class StateReader {
 public:
  // Of one message: so it may have few pixels, or none.
  static constexpr std::size_t kPlacesMax = 262'144;

  // `area` must be in the canvas and not empty.
  explicit StateReader(const Area& area) : area_(area), x_(area.x), y_(area.y) {}

  // The next message; empty after the last one, which says "complete":true.
  std::optional<std::string> next(const Board& board);
  bool is_complete() const { return complete_; }

 private:
  struct Part;
  void read_chunk(const Board& board, Part& part);
  void step_chunk();

  Area area_;
  // The next place: chunk by chunk, in each row by row.
  std::uint32_t x_;
  std::uint32_t y_;
  bool complete_ = false;
};

}  // namespace fanfare::canvas
