#include "canvas/state_reader.h"

#include <algorithm>
#include <vector>

#include "canvas/json_messages.h"
#include "canvas/limits.h"

namespace fanfare::canvas {

// One message.
struct StateReader::Part {
  std::string pixels;
  std::size_t count = 0;
  std::size_t places = 0;

  bool is_full() const { return count >= kStatePixelsMax || places >= kPlacesMax; }
  void add(std::uint32_t x, std::uint32_t y, std::uint32_t rgb) {
    pixels += count++ == 0 ? "{\"x\":" : ",{\"x\":";
    pixels += std::to_string(x);
    pixels += ",\"y\":";
    pixels += std::to_string(y);
    pixels += ",\"color\":\"";
    pixels += colour_text(rgb);
    pixels += "\"}";
  }
};

std::optional<std::string> StateReader::next(const Board& board) {
  if (complete_) return std::nullopt;
  Part part;
  while (!complete_ && !part.is_full()) read_chunk(board, part);
  std::string message = "{\"type\":\"canvas_state\",\"x\":";
  message += std::to_string(area_.x);
  message += ",\"y\":";
  message += std::to_string(area_.y);
  message += ",\"width\":";
  message += std::to_string(area_.width);
  message += ",\"height\":";
  message += std::to_string(area_.height);
  message += ",\"pixels\":[";
  message += part.pixels;
  message += complete_ ? "],\"complete\":true}" : "],\"complete\":false}";
  return message;
}

// Reads from (x_, y_) to the end of its chunk, or until the part is full.
void StateReader::read_chunk(const Board& board, Part& part) {
  const std::uint32_t chunk_x = x_ / kChunkSide * kChunkSide;
  const std::uint32_t chunk_y = y_ / kChunkSide * kChunkSide;
  const std::uint32_t left = std::max(area_.x, chunk_x);
  const std::uint32_t right = std::min(area_.x + area_.width, chunk_x + kChunkSide);
  const std::uint32_t bottom = std::min(area_.y + area_.height, chunk_y + kChunkSide);
  const ChunkId id{.x = static_cast<std::uint8_t>(chunk_x / kChunkSide),
                   .y = static_cast<std::uint8_t>(chunk_y / kChunkSide)};
  const Chunk* const chunk = board.find(id);
  if (chunk == nullptr) {
    ++part.places;
    return step_chunk();
  }
  const std::vector<TickPixel> before = chunk->before_open_tick();
  for (; y_ < bottom; ++y_, x_ = left) {
    for (; x_ < right; ++x_) {
      if (part.is_full()) return;
      ++part.places;
      const std::uint16_t index = index_of(static_cast<std::uint16_t>(x_), static_cast<std::uint16_t>(y_));
      TickPixel pixel{.index = index, .user = chunk->author_at(index), .colour = chunk->colour_at(index)};
      const auto changed = std::ranges::lower_bound(before, index, {}, &TickPixel::index);
      if (changed != before.end() && changed->index == index) pixel = *changed;
      if (pixel.user != 0) part.add(x_, y_, board.spec().rgb_of(pixel.colour));
    }
  }
  y_ = std::max(area_.y, chunk_y);
  step_chunk();
}

// To the first place of the next chunk. (x_, y_) is in the present one.
void StateReader::step_chunk() {
  const std::uint32_t row_end = std::min(area_.y + area_.height, (y_ / kChunkSide + 1) * kChunkSide);
  const std::uint32_t row_start = std::max(area_.y, y_ / kChunkSide * kChunkSide);
  const std::uint32_t next_x = (x_ / kChunkSide + 1) * kChunkSide;
  if (next_x < area_.x + area_.width) {
    x_ = next_x;
    y_ = row_start;
    return;
  }
  x_ = area_.x;
  y_ = row_end;
  complete_ = row_end >= area_.y + area_.height;
}

}  // namespace fanfare::canvas
