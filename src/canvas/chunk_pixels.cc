#include "canvas/chunk_pixels.h"

#include <algorithm>

namespace fanfare::canvas {

Colour read_colour(const std::uint8_t* colours, std::size_t index, std::size_t bytes_per_colour) {
  if (bytes_per_colour == 1) return colours[index];
  const std::uint8_t* const at = colours + index * 3;
  return (Colour{at[0]} << 16U) | (Colour{at[1]} << 8U) | at[2];
}

void write_colour(std::uint8_t* colours, std::size_t index, std::size_t bytes_per_colour, Colour colour) {
  if (bytes_per_colour == 1) {
    colours[index] = static_cast<std::uint8_t>(colour);
    return;
  }
  std::uint8_t* const at = colours + index * 3;
  at[0] = static_cast<std::uint8_t>(colour >> 16U);
  at[1] = static_cast<std::uint8_t>(colour >> 8U);
  at[2] = static_cast<std::uint8_t>(colour);
}

ChunkPixels::ChunkPixels(std::uint32_t rows, std::size_t bytes_per_colour, Colour background)
    : rows_(rows), bytes_per_colour_(bytes_per_colour), background_(background) {}

std::vector<ChunkPixels::Entry>::const_iterator ChunkPixels::find(std::uint16_t index) const {
  return std::ranges::lower_bound(entries_, index, {}, &Entry::index);
}

Colour ChunkPixels::colour_at(std::uint16_t index) const {
  if (is_dense()) return read_colour(colours_.data(), index, bytes_per_colour_);
  const auto found = find(index);
  return found != entries_.end() && found->index == index ? found->colour : background_;
}

UserNumber ChunkPixels::author_at(std::uint16_t index) const {
  if (is_dense()) return authors_[index];
  const auto found = find(index);
  return found != entries_.end() && found->index == index ? found->author : 0;
}

void ChunkPixels::set(std::uint16_t index, Colour colour, UserNumber author) {
  if (is_dense()) {
    set_dense(index, colour, author);
    if (drawn_ <= kSparsePixelsMax / 2) make_sparse();
    return;
  }
  set_sparse(index, colour, author);
  if (drawn_ > kSparsePixelsMax) make_dense();
}

void ChunkPixels::set_sparse(std::uint16_t index, Colour colour, UserNumber author) {
  const auto found = find(index);
  const bool is_there = found != entries_.end() && found->index == index;
  const Entry entry{.index = index, .colour = colour, .author = author};
  if (!is_drawn(colour, author)) {
    if (is_there) entries_.erase(found);
    if (entries_.empty()) entries_.shrink_to_fit();
  } else if (is_there) {
    entries_[static_cast<std::size_t>(found - entries_.begin())] = entry;
  } else {
    entries_.insert(found, entry);
  }
  drawn_ = entries_.size();
}

void ChunkPixels::set_dense(std::uint16_t index, Colour colour, UserNumber author) {
  const bool was_drawn = is_drawn(colour_at(index), authors_[index]);
  const bool will_be = is_drawn(colour, author);
  if (was_drawn && !will_be) --drawn_;
  if (!was_drawn && will_be) ++drawn_;
  write_colour(colours_.data(), index, bytes_per_colour_, colour);
  authors_[index] = author;
}

void ChunkPixels::make_dense() {
  const std::size_t count = std::size_t{rows_} * kChunkSide;
  colours_.resize(count * bytes_per_colour_);
  for (std::size_t i = 0; i < count; ++i) write_colour(colours_.data(), i, bytes_per_colour_, background_);
  authors_.resize(count);
  for (const Entry& entry : entries_) {
    write_colour(colours_.data(), entry.index, bytes_per_colour_, entry.colour);
    authors_[entry.index] = entry.author;
  }
  entries_ = std::vector<Entry>();  // not {}, which would keep the memory
}

void ChunkPixels::make_sparse() {
  entries_.reserve(drawn_);
  for (std::size_t i = 0; i < authors_.size(); ++i) {
    const Colour colour = read_colour(colours_.data(), i, bytes_per_colour_);
    if (!is_drawn(colour, authors_[i])) continue;
    entries_.push_back({.index = static_cast<std::uint16_t>(i), .colour = colour, .author = authors_[i]});
  }
  colours_ = std::vector<std::uint8_t>();
  authors_ = std::vector<UserNumber>();
}

void ChunkPixels::copy_colours(std::uint32_t columns, std::vector<std::uint8_t>& out) const {
  const std::size_t row_bytes = columns * bytes_per_colour_;
  out.resize(rows_ * row_bytes);
  if (is_dense()) {
    for (std::size_t row = 0; row < rows_; ++row) {
      std::copy_n(colours_.data() + row * kChunkSide * bytes_per_colour_, row_bytes,
                  out.data() + row * row_bytes);
    }
    return;
  }
  for (std::size_t i = 0; i < std::size_t{rows_} * columns; ++i) {
    write_colour(out.data(), i, bytes_per_colour_, background_);
  }
  for (const Entry& entry : entries_) {
    const std::size_t at = (std::size_t{entry.index} / kChunkSide) * columns + entry.index % kChunkSide;
    write_colour(out.data(), at, bytes_per_colour_, entry.colour);
  }
}

std::size_t ChunkPixels::bytes() const {
  return entries_.capacity() * sizeof(Entry) + colours_.capacity() + authors_.capacity() * sizeof(UserNumber);
}

}  // namespace fanfare::canvas
