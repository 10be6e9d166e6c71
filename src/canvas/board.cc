#include "canvas/board.h"

#include <algorithm>

#include "base/check.h"

namespace fanfare::canvas {

Board::Board(RoomSpec spec, std::size_t chunks_max)
    : spec_(std::move(spec)),
      chunks_max_(chunks_max),
      background_(spec_.background_colour()),
      columns_(chunk_columns(spec_)),
      chunks_(std::size_t{columns_} * chunk_rows(spec_)) {
  FANFARE_CHECK(!problem_with(spec_));
}

std::unique_ptr<Chunk>& Board::slot(ChunkId id) {
  return chunks_[std::size_t{id.y} * columns_ + id.x];
}

const Chunk* Board::find(ChunkId id) const {
  return has_chunk(spec_, id) ? chunks_[std::size_t{id.y} * columns_ + id.x].get() : nullptr;
}

std::vector<ChunkId> Board::chunks() const {
  std::vector<ChunkId> found;
  for (const auto& chunk : chunks_) {
    if (chunk != nullptr) found.push_back(chunk->id());
  }
  return found;
}

Colour Board::colour_at(std::uint16_t x, std::uint16_t y) const {
  const Chunk* const chunk = find(chunk_of(x, y));
  return chunk == nullptr ? background_ : chunk->colour_at(index_of(x, y));
}

UserNumber Board::author_at(std::uint16_t x, std::uint16_t y) const {
  const Chunk* const chunk = find(chunk_of(x, y));
  return chunk == nullptr ? 0 : chunk->author_at(index_of(x, y));
}

bool Board::is_blank(ChunkId id) const {
  const Chunk* const chunk = find(id);
  return chunk == nullptr || chunk->is_blank();
}

bool Board::set(Pixel pixel, UserNumber author) {
  if (!has_room_for(chunk_of(pixel.x, pixel.y))) return false;
  restore(pixel, author);
  return true;
}

void Board::restore(Pixel pixel, UserNumber author) {
  FANFARE_CHECK(has_pixel(spec_, pixel.x, pixel.y) && pixel.colour < spec_.colour_end());
  const ChunkId id = chunk_of(pixel.x, pixel.y);
  std::unique_ptr<Chunk>& chunk = slot(id);
  if (chunk == nullptr) chunk = std::make_unique<Chunk>(spec_, id);
  if (!chunk->has_changes()) changed_.push_back(id);
  const bool was_blank = chunk->is_blank();
  chunk->set(index_of(pixel.x, pixel.y), pixel.colour, author);
  if (was_blank && !chunk->is_blank()) ++count_;
  if (!was_blank && chunk->is_blank()) --count_;
}

std::vector<ChunkTick> Board::finish_tick() {
  std::ranges::sort(changed_, {}, [](ChunkId id) { return id.key(); });
  std::vector<ChunkTick> ticks;
  ticks.reserve(changed_.size());
  for (const ChunkId id : changed_) ticks.push_back(slot(id)->finish_tick());
  changed_.clear();
  return ticks;
}

bool Board::load(ChunkId id, Version version, Bytes colours, std::span<const UserNumber> authors) {
  if (!has_chunk(spec_, id) || slot(id) != nullptr) return false;
  auto chunk = std::make_unique<Chunk>(spec_, id);
  if (!chunk->load(version, colours, authors)) return false;
  if (!chunk->is_blank()) ++count_;
  slot(id) = std::move(chunk);
  return true;
}

}  // namespace fanfare::canvas
