#include "canvas/chunk.h"

#include <algorithm>

#include "base/check.h"
#include "canvas/frames.h"

namespace fanfare::canvas {

Chunk::Chunk(const RoomSpec& spec, ChunkId id)
    : spec_(spec),
      id_(id),
      columns_(columns_of(spec, id)),
      rows_(rows_of(spec, id)),
      bytes_per_colour_(spec.bytes_per_colour()),
      colours_(kChunkPixels * bytes_per_colour_),
      authors_(kChunkPixels),
      live_hash_(spec.background_colour()) {
  const Colour background = spec.background_colour();
  for (std::size_t i = 0; i < kChunkPixels; ++i) store(i, background);
}

void Chunk::store(std::size_t index, Colour colour) {
  if (bytes_per_colour_ == 1) {
    colours_[index] = static_cast<std::uint8_t>(colour);
    return;
  }
  std::uint8_t* const at = colours_.data() + index * 3;
  at[0] = static_cast<std::uint8_t>(colour >> 16U);
  at[1] = static_cast<std::uint8_t>(colour >> 8U);
  at[2] = static_cast<std::uint8_t>(colour);
}

Colour Chunk::colour_in(const std::uint8_t* colours, std::size_t index) const {
  if (bytes_per_colour_ == 1) return colours[index];
  const std::uint8_t* const at = colours + index * 3;
  return (Colour{at[0]} << 16U) | (Colour{at[1]} << 8U) | at[2];
}

Colour Chunk::colour_at(std::uint16_t index) const {
  return colour_in(colours_.data(), index);
}

void Chunk::set(std::uint16_t index, Colour colour, UserNumber author) {
  const Colour before = colour_at(index);
  changes_.push_back({.index = index, .author_before = authors_[index], .colour_before = before});
  live_hash_.change(index, before, colour);
  store(index, colour);
  authors_[index] = author;
}

ChunkTick Chunk::finish_tick() {
  FANFARE_CHECK(has_changes());
  std::vector<std::uint16_t> indices;
  indices.reserve(changes_.size());
  for (const Change& change : changes_) indices.push_back(change.index);
  changes_.clear();
  // Moderators restore many pixels at once; a usual tick has few.
  if (changes_.capacity() > kChunkPixels / 16) changes_.shrink_to_fit();
  std::ranges::sort(indices);
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());

  hash_ = live_hash_.value();
  ChunkTick tick{.chunk = id_, .version = ++version_, .hash = hash_, .pixels = {}, .section = {}};
  tick.pixels.reserve(indices.size());
  for (const std::uint16_t index : indices) {
    tick.pixels.push_back({.index = index, .user = authors_[index], .colour = colour_at(index)});
  }
  ByteVector section;
  append_section(section, id_, version_, hash_, tick.pixels, bytes_per_colour_);
  tick.section = SharedBytes(section);
  return tick;
}

std::vector<TickPixel> Chunk::before_open_tick() const {
  std::vector<TickPixel> pixels;
  pixels.reserve(changes_.size());
  for (const Change& change : changes_) {
    pixels.push_back({.index = change.index, .user = change.author_before, .colour = change.colour_before});
  }
  // Of several changes of a pixel, the first one knows what was before the tick.
  std::ranges::stable_sort(pixels, {}, &TickPixel::index);
  const auto rest = std::ranges::unique(pixels, {}, &TickPixel::index);
  pixels.erase(rest.begin(), rest.end());
  return pixels;
}

void Chunk::copy_colours(std::vector<std::uint8_t>& out) const {
  const std::size_t row_bytes = columns_ * bytes_per_colour_;
  out.resize(rows_ * row_bytes);
  for (std::size_t row = 0; row < rows_; ++row) {
    std::copy_n(colours_.data() + row * kChunkSide * bytes_per_colour_, row_bytes,
                out.data() + row * row_bytes);
  }
  // Backwards, so that the first change of a pixel counts.
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
    const std::size_t at = (std::size_t{change->index} / kChunkSide) * columns_ + change->index % kChunkSide;
    if (bytes_per_colour_ == 1) {
      out[at] = static_cast<std::uint8_t>(change->colour_before);
    } else {
      out[at * 3] = static_cast<std::uint8_t>(change->colour_before >> 16U);
      out[at * 3 + 1] = static_cast<std::uint8_t>(change->colour_before >> 8U);
      out[at * 3 + 2] = static_cast<std::uint8_t>(change->colour_before);
    }
  }
}

void Chunk::copy_authors(std::vector<UserNumber>& out) const {
  out.resize(std::size_t{rows_} * columns_);
  for (std::size_t row = 0; row < rows_; ++row) {
    std::copy_n(authors_.data() + row * kChunkSide, columns_, out.data() + row * columns_);
  }
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
    out[(std::size_t{change->index} / kChunkSide) * columns_ + change->index % kChunkSide] =
        change->author_before;
  }
}

bool Chunk::load(Version version, Bytes colours, std::span<const UserNumber> authors, UserNumber unknown) {
  FANFARE_CHECK(!has_changes());
  const std::size_t count = std::size_t{rows_} * columns_;
  if (colours.size() != count * bytes_per_colour_) return false;
  if (!authors.empty() && authors.size() != count) return false;
  const Colour end = spec_.colour_end();
  const Colour background = spec_.background_colour();
  for (std::size_t i = 0; i < count; ++i) {
    if (colour_in(colours.data(), i) >= end) return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::uint16_t>((i / columns_) * kChunkSide + i % columns_);
    const Colour colour = colour_in(colours.data(), i);
    live_hash_.change(index, colour_at(index), colour);
    store(index, colour);
    authors_[index] = !authors.empty() ? authors[i] : colour == background ? 0 : unknown;
  }
  version_ = version;
  hash_ = live_hash_.value();
  return true;
}

}  // namespace fanfare::canvas
