#pragma once
// What a tick has changed. The result of Room::finish_tick(), for watchers and for the log.

#include <cstdint>
#include <string>
#include <vector>

#include "base/shared_bytes.h"
#include "canvas/place.h"

namespace fanfare::canvas {

struct TickPixel {
  std::uint16_t index = 0;  // within its chunk
  UserNumber user = 0;      // 0: it is as if nobody had drawn it (after an undo)
  Colour colour = 0;

  bool operator==(const TickPixel&) const = default;
};

struct ChunkTick {
  ChunkId chunk;
  Version version = 0;     // after the tick: one more than before
  std::uint64_t hash = 0;  // after the tick
  // Sorted by index, each at most once: of several changes of a pixel within a tick the last one counts.
  std::vector<TickPixel> pixels;
  // The section of a TICK frame, see tick_frame() in frames.h. Any thread.
  SharedBytes section;
};

// At this place, the strokes of `user` (0: of everybody) in ticks from `from` on were taken back. For the log: pixels do not
// show it (decision 0565).
struct TakenBack {
  std::uint16_t x = 0;
  std::uint16_t y = 0;
  UserNumber user = 0;
  std::uint64_t from = 0;
  // If the tick changed this pixel: whether it was drawn in the tick. Otherwise it was given back.
  bool is_drawn = false;

  bool operator==(const TakenBack&) const = default;
};

// What a moderator did, for the log. The pixels that it changed are in this tick and, if they are many, in the next ones.
struct ModerationEvent {
  enum class Kind : std::uint8_t { undo_user, undo_area, rollback, ban };

  Kind kind = Kind::undo_user;
  UserNumber moderator = 0;
  UserNumber user = 0;        // of undo_user and ban
  Area area = {};             // of undo_area
  std::int64_t at_ms = 0;     // of undo_user, undo_area and rollback: since, or as at. Since 1970-01-01 UTC
  std::int64_t until_ms = 0;  // of ban: its end, which may be in the past. Since 1970-01-01 UTC
  // Of ban: whom it concerns after a restart, too. Room::ban_again() takes them.
  std::string identity = {};
  std::vector<std::string> payers = {};

  bool operator==(const ModerationEvent&) const = default;
};

struct Tick {
  std::uint64_t number = 0;  // one more than the tick before; ticks without changes have none
  std::vector<ChunkTick> chunks;
  std::vector<ModerationEvent> events;
  std::vector<TakenBack> taken_back;  // in order; at most a few of one place

  bool is_empty() const { return chunks.empty() && events.empty() && taken_back.empty(); }
};

}  // namespace fanfare::canvas
