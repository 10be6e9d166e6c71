#pragma once
// Places on a canvas: pixels, areas of pixels, chunks, areas of chunks. See "Words" in docs/canvas.md.

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>

#include "canvas/spec.h"

namespace fanfare::canvas {

inline constexpr std::uint32_t kChunkSide = 256;
inline constexpr std::size_t kChunkPixels = std::size_t{kChunkSide} * kChunkSide;

struct Pixel {
  std::uint16_t x = 0;
  std::uint16_t y = 0;
  Colour colour = 0;

  bool operator==(const Pixel&) const = default;
};

// Column and row of a chunk.
struct ChunkId {
  std::uint8_t x = 0;
  std::uint8_t y = 0;

  // Unique in a canvas.
  std::uint16_t key() const { return static_cast<std::uint16_t>((y << 8U) | x); }
  static ChunkId of_key(std::uint16_t key) {
    return {.x = static_cast<std::uint8_t>(key), .y = static_cast<std::uint8_t>(key >> 8U)};
  }
  auto operator<=>(const ChunkId&) const = default;
};

inline ChunkId chunk_of(std::uint16_t x, std::uint16_t y) {
  return {.x = static_cast<std::uint8_t>(x >> 8U), .y = static_cast<std::uint8_t>(y >> 8U)};
}
// Of a pixel within its chunk.
inline std::uint16_t index_of(std::uint16_t x, std::uint16_t y) {
  return static_cast<std::uint16_t>(((y & 255U) << 8U) | (x & 255U));
}
inline std::uint16_t x_of(ChunkId chunk, std::uint16_t index) {
  return static_cast<std::uint16_t>((chunk.x << 8U) | (index & 255U));
}
inline std::uint16_t y_of(ChunkId chunk, std::uint16_t index) {
  return static_cast<std::uint16_t>((chunk.y << 8U) | (index >> 8U));
}

inline std::uint32_t chunk_columns(const RoomSpec& spec) {
  return (spec.width + kChunkSide - 1) / kChunkSide;
}
inline std::uint32_t chunk_rows(const RoomSpec& spec) {
  return (spec.height + kChunkSide - 1) / kChunkSide;
}
// Pixels of a chunk in x and y: less than kChunkSide at the right and lower edge.
inline std::uint32_t columns_of(const RoomSpec& spec, ChunkId chunk) {
  return std::min(kChunkSide, spec.width - chunk.x * kChunkSide);
}
inline std::uint32_t rows_of(const RoomSpec& spec, ChunkId chunk) {
  return std::min(kChunkSide, spec.height - chunk.y * kChunkSide);
}
inline bool has_pixel(const RoomSpec& spec, std::uint32_t x, std::uint32_t y) {
  return x < spec.width && y < spec.height;
}
inline bool has_chunk(const RoomSpec& spec, ChunkId chunk) {
  return chunk.x < chunk_columns(spec) && chunk.y < chunk_rows(spec);
}

// Pixels x to x + width - 1. Empty if width or height is 0.
struct Area {
  std::uint32_t x = 0;
  std::uint32_t y = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;

  bool is_empty() const { return width == 0 || height == 0; }
  bool contains(std::uint32_t px, std::uint32_t py) const {
    return px >= x && py >= y && px - x < width && py - y < height;
  }
  static Area whole(const RoomSpec& spec) { return {.width = spec.width, .height = spec.height}; }
  bool operator==(const Area&) const = default;
};

// Columns x0 to x1 and rows y0 to y1, inclusive; never empty.
struct ChunkArea {
  std::uint8_t x0 = 0;
  std::uint8_t y0 = 0;
  std::uint8_t x1 = 0;
  std::uint8_t y1 = 0;

  bool contains(ChunkId id) const { return id.x >= x0 && id.x <= x1 && id.y >= y0 && id.y <= y1; }
  std::size_t count() const { return std::size_t{x1 - x0 + 1U} * (y1 - y0 + 1U); }
  // The chunks of an area that is not empty and within the canvas.
  static ChunkArea of(const Area& area) {
    return {.x0 = static_cast<std::uint8_t>(area.x / kChunkSide),
            .y0 = static_cast<std::uint8_t>(area.y / kChunkSide),
            .x1 = static_cast<std::uint8_t>((area.x + area.width - 1) / kChunkSide),
            .y1 = static_cast<std::uint8_t>((area.y + area.height - 1) / kChunkSide)};
  }
  auto operator<=>(const ChunkArea&) const = default;
};

}  // namespace fanfare::canvas
