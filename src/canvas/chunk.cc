#include "canvas/chunk.h"

#include <algorithm>
#include <ranges>

#include "base/check.h"
#include "canvas/frames.h"

namespace fanfare::canvas {

Chunk::Chunk(const RoomSpec& spec, ChunkId id)
    : spec_(spec),
      id_(id),
      columns_(columns_of(spec, id)),
      rows_(rows_of(spec, id)),
      bytes_per_colour_(spec.bytes_per_colour()),
      pixels_(rows_, bytes_per_colour_, spec.background_colour()),
      live_hash_(spec.background_colour()) {}

void Chunk::set(std::uint16_t index, Colour colour, UserNumber author) {
  const Colour before = colour_at(index);
  changes_.push_back({.index = index, .author_before = author_at(index), .colour_before = before});
  live_hash_.change(index, before, colour);
  pixels_.set(index, colour, author);
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
    tick.pixels.push_back({.index = index, .user = author_at(index), .colour = colour_at(index)});
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
  pixels_.copy_colours(columns_, out);
  // Backwards, so that the first change of a pixel counts.
  for (const Change& change : std::views::reverse(changes_)) {
    const std::size_t at = (std::size_t{change.index} / kChunkSide) * columns_ + change.index % kChunkSide;
    write_colour(out.data(), at, bytes_per_colour_, change.colour_before);
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
    if (read_colour(colours.data(), i, bytes_per_colour_) >= end) return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::uint16_t>((i / columns_) * kChunkSide + i % columns_);
    const Colour colour = read_colour(colours.data(), i, bytes_per_colour_);
    live_hash_.change(index, colour_at(index), colour);
    pixels_.set(index, colour, !authors.empty() ? authors[i] : colour == background ? 0 : unknown);
  }
  version_ = version;
  hash_ = live_hash_.value();
  return true;
}

}  // namespace fanfare::canvas
