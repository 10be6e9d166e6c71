#pragma once
// The cursors of a room: the latest position of each user, and those that have moved, by area. Pixels never wait for
// them: they have frames of their own. One thread.
//
// The index is by chunk, so a watcher costs what moves in the chunks that he watches, and no more.

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/time.h"
#include "canvas/limits.h"
#include "canvas/place.h"

namespace fanfare::canvas {

struct CursorMove {
  UserNumber user = 0;
  std::uint16_t x = 0;
  std::uint16_t y = 0;
  bool has_left = false;  // then it is nowhere

  static CursorMove left(UserNumber user) { return {.user = user, .has_left = true}; }
  bool operator==(const CursorMove&) const = default;
};

class Cursors {
 public:
  explicit Cursors(const Limits& limits) : limits_(limits) {}

  // The cursor is here from now on. Others see it in one of the next rounds.
  void move(UserNumber user, std::uint16_t x, std::uint16_t y);
  // It has left, or its user has.
  void remove(UserNumber user);

  // Starts a round: the latest position of at most cursors_per_round_max cursors that have moved. False: nothing has
  // moved, or the last round was less than 1 / cursors_per_second ago; then moves_in() is as before.
  bool start_round(Instant now);
  // What a watcher of this area gets in this round: first the cursors that have left the area, then those that moved in
  // it. The same for all watchers of the same area: ask once.
  std::vector<CursorMove> moves_in(const ChunkArea& area) const;
  // The cursors in an area as of this round, for somebody who starts to watch it. At most cursors_per_round_max.
  std::vector<CursorMove> all_in(const ChunkArea& area) const;

  std::size_t count() const { return shown_.size(); }

 private:
  struct Position {
    std::uint16_t x = 0;
    std::uint16_t y = 0;
    bool operator==(const Position&) const = default;
  };
  struct Move {
    UserNumber user;
    std::optional<Position> from;
    std::optional<Position> to;
  };

  static ChunkId cell_of(Position position) { return chunk_of(position.x, position.y); }
  void wait(UserNumber user, std::optional<Position> to);
  void show(UserNumber user, std::optional<Position> to);

  const Limits& limits_;
  std::unordered_map<UserNumber, std::optional<Position>> waiting_;  // the latest; empty: gone
  std::deque<UserNumber> queue_;                                     // of waiting_, the longest wait first
  std::unordered_map<UserNumber, Position> shown_;                   // as of this round
  std::unordered_map<std::uint16_t, std::unordered_set<UserNumber>> cells_;  // of shown_, by ChunkId::key()
  std::vector<Move> moves_;                                                  // of this round
  std::unordered_map<std::uint16_t, std::vector<std::uint32_t>> moves_by_cell_;  // of both ends of each move
  std::optional<Instant> last_round_;
};

}  // namespace fanfare::canvas
