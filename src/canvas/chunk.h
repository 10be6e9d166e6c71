#pragma once
// A square of 256 x 256 pixels: their colours, who drew each of them last, its version and its hash.
//
// Changes belong to the open tick. version(), hash() and copy_colours() are as at the end of the last tick, so that
// what a client gets between two ticks is exactly what the next tick's section follows. One thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "canvas/chunk_pixels.h"
#include "canvas/hash.h"
#include "canvas/place.h"
#include "canvas/tick.h"

namespace fanfare::canvas {

class Chunk {
 public:
  // `spec` must outlive the chunk, and have this chunk.
  Chunk(const RoomSpec& spec, ChunkId id);

  ChunkId id() const { return id_; }
  // With the changes of the open tick. `index` must be within the canvas, also below.
  Colour colour_at(std::uint16_t index) const { return pixels_.colour_at(index); }
  // 0: nobody has drawn it.
  UserNumber author_at(std::uint16_t index) const { return pixels_.author_at(index); }
  // Nobody has drawn in it, or everything was taken back.
  bool is_blank() const { return pixels_.drawn() == 0; }
  void set(std::uint16_t index, Colour colour, UserNumber author);

  bool has_changes() const { return !changes_.empty(); }
  // At least one change: ends the tick.
  ChunkTick finish_tick();

  Version version() const { return version_; }
  std::uint64_t hash() const { return hash_; }
  // Rows x columns colours, row by row, bytes_per_colour() each.
  void copy_colours(std::vector<std::uint8_t>& out) const;
  // The pixels that the open tick has changed, as they were before it: sorted by index, each once.
  std::vector<TickPixel> before_open_tick() const;

  // From disk, into a chunk without changes. `colours` as copy_colours() has them, `authors` likewise, one for each pixel. False: a size or a colour is wrong, and
  // nothing has changed. `authors` may be empty if they are not known: then pixels with the background's colour count
  // as not drawn, and others as drawn by `unknown`.
  bool load(Version version, Bytes colours, std::span<const UserNumber> authors,
            UserNumber unknown = kUserNumberMax);

 private:
  struct Change {
    std::uint16_t index;
    UserNumber author_before;
    Colour colour_before;
  };

  const RoomSpec& spec_;
  ChunkId id_;
  std::uint32_t columns_;
  std::uint32_t rows_;
  std::size_t bytes_per_colour_;
  ChunkPixels pixels_;
  std::vector<Change> changes_;  // of the open tick, in order
  ChunkHash live_hash_;
  std::uint64_t hash_ = 0;
  Version version_ = 0;
};

}  // namespace fanfare::canvas
