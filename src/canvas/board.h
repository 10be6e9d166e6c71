#pragma once
// The pixels of a room: its chunks, each of which is allocated when somebody first draws in it. One whose pixels were all
// taken back keeps only its version, a few hundred bytes, and does not count any more. One thread.

#include <cstddef>
#include <memory>
#include <vector>

#include "canvas/chunk.h"
#include "canvas/limits.h"

namespace fanfare::canvas {

class Board {
 public:
  // `spec` must be valid (problem_with()).
  Board(RoomSpec spec, std::size_t chunks_max);
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  const RoomSpec& spec() const { return spec_; }
  Colour background() const { return background_; }
  // Those with a pixel that somebody has drawn.
  std::size_t chunk_count() const { return count_; }

  // Null: nobody has drawn in it, or it is not in the canvas.
  const Chunk* find(ChunkId id) const;
  // The ids of all chunks that exist, sorted by row, then by column.
  std::vector<ChunkId> chunks() const;

  // With the changes of the open tick. The place must be in the canvas, also below.
  Colour colour_at(std::uint16_t x, std::uint16_t y) const;
  UserNumber author_at(std::uint16_t x, std::uint16_t y) const;
  // Nobody has drawn in it, or all of it was taken back.
  bool is_blank(ChunkId id) const;
  // For what is drawn from now on.
  void set_chunks_max(std::size_t chunks_max) { chunks_max_ = chunks_max; }
  // False: the chunk is blank, and chunks_max are not.
  bool has_room_for(ChunkId id) const { return count_ < chunks_max_ || !is_blank(id); }
  // False, and nothing is changed: has_room_for() is false.
  bool set(Pixel pixel, UserNumber author);
  // As it was before, by an undo or a moderator: whatever chunks_max is, so that nothing is restored by halves.
  void restore(Pixel pixel, UserNumber author);

  // Ends the tick: the chunks that have changed since the last one.
  std::vector<ChunkTick> finish_tick();

  // From disk, before anything is drawn: see Chunk::load(). False also if it is not in the canvas or exists already.
  // chunks_max, which may have become less, only limits what is drawn later.
  bool load(ChunkId id, Version version, Bytes colours, std::span<const UserNumber> authors);

 private:
  std::unique_ptr<Chunk>& slot(ChunkId id);

  RoomSpec spec_;
  std::size_t chunks_max_;
  Colour background_;
  std::uint32_t columns_;
  std::vector<std::unique_ptr<Chunk>> chunks_;  // row by row
  std::vector<ChunkId> changed_;                // in the open tick
  std::size_t count_ = 0;                       // not blank
};

}  // namespace fanfare::canvas
