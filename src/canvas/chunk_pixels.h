#pragma once
// Colours and authors of the pixels of a chunk. A chunk with few pixels takes memory for those, not for all:
//
//   sparse   an entry for each drawn pixel, sorted by index, up to kSparsePixelsMax
//   dense    all of them, 1 or 3 bytes a colour and 4 an author, until kSparsePixelsMax / 2 are left
//
// One thread.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "canvas/place.h"

namespace fanfare::canvas {

inline constexpr std::size_t kSparsePixelsMax = 1024;

class ChunkPixels {
 public:
  ChunkPixels(std::uint32_t rows, std::size_t bytes_per_colour, Colour background);

  // `index` must be within the canvas, also below.
  Colour colour_at(std::uint16_t index) const;
  // 0: nobody has drawn it.
  UserNumber author_at(std::uint16_t index) const;
  void set(std::uint16_t index, Colour colour, UserNumber author);

  // Pixels that have an author or another colour than the background.
  std::size_t drawn() const { return drawn_; }
  // The first `columns` colours of each row, row by row, bytes_per_colour each.
  void copy_colours(std::uint32_t columns, std::vector<std::uint8_t>& out) const;
  // What is allocated for them.
  std::size_t bytes() const;

 private:
  struct Entry {
    std::uint16_t index;
    Colour colour;
    UserNumber author;
  };

  bool is_dense() const { return !authors_.empty(); }
  bool is_drawn(Colour colour, UserNumber author) const { return author != 0 || colour != background_; }
  std::vector<Entry>::const_iterator find(std::uint16_t index) const;
  void set_sparse(std::uint16_t index, Colour colour, UserNumber author);
  void set_dense(std::uint16_t index, Colour colour, UserNumber author);
  void make_dense();
  void make_sparse();

  std::uint32_t rows_;
  std::size_t bytes_per_colour_;
  Colour background_;
  std::size_t drawn_ = 0;
  std::vector<Entry> entries_;
  std::vector<std::uint8_t> colours_;  // rows of kChunkSide, whatever the columns
  std::vector<UserNumber> authors_;    // as many; empty: sparse
};

// A colour among others, 1 or 3 bytes each.
Colour read_colour(const std::uint8_t* colours, std::size_t index, std::size_t bytes_per_colour);
void write_colour(std::uint8_t* colours, std::size_t index, std::size_t bytes_per_colour, Colour colour);

}  // namespace fanfare::canvas
