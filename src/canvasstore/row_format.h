#pragma once
// The bytes of the rows of a room's file.
//
//   changes.data        count x ( index u16 | colour 1 byte in a room with a palette, else 3: red green blue | user varint )
//   snapshots.colours   zlib: 65,536 x colour
//   snapshots.users     zlib: 65,536 x user u32
//
// Numbers are little-endian; a varint is LEB128 without a sign. Every row has the CRC-32 of its key and its bytes.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "canvas/place.h"
#include "canvas/tick.h"

namespace fanfare::canvasstore {

std::vector<std::uint8_t> encode_pixels(std::span<const canvas::TickPixel> pixels, bool has_palette);
// Calls visit(const TickPixel&) for each. False: these bytes are no pixels.
template <typename Visit>
bool decode_pixels(Bytes data, bool has_palette, Visit visit);

std::vector<std::uint8_t> pack_colours(std::span<const std::uint32_t> colours, bool has_palette);
std::vector<std::uint8_t> pack_users(std::span<const std::uint32_t> users);
// Empty: these bytes are none.
std::optional<std::vector<std::uint32_t>> unpack_colours(Bytes packed, bool has_palette);
std::optional<std::vector<std::uint32_t>> unpack_users(Bytes packed);

// Of a row of changes or snapshots.
std::int64_t row_checksum(std::int64_t chunk, std::uint64_t tick, std::uint64_t version, Bytes first,
                          Bytes second = {});

inline std::int64_t chunk_number(canvas::ChunkId chunk) {
  return chunk.key();
}
inline canvas::ChunkId chunk_place(std::int64_t number) {
  return canvas::ChunkId::of_key(static_cast<std::uint16_t>(number));
}

template <typename Visit>
bool decode_pixels(Bytes data, bool has_palette, Visit visit) {
  const std::size_t colour_bytes = has_palette ? 1 : 3;
  std::size_t at = 0;
  while (at < data.size()) {
    if (data.size() - at < 2 + colour_bytes + 1) return false;
    canvas::TickPixel pixel;
    pixel.index = static_cast<std::uint16_t>(data[at] | data[at + 1] << 8U);
    at += 2;
    for (std::size_t i = 0; i < colour_bytes; ++i) pixel.colour = pixel.colour << 8U | data[at++];
    std::uint32_t shift = 0;
    for (;; shift += 7) {
      if (at == data.size() || shift > 28) return false;
      const std::uint8_t byte = data[at++];
      pixel.user |= static_cast<std::uint32_t>(byte & 0x7fU) << shift;
      if (byte < 0x80) break;
    }
    visit(pixel);
  }
  return true;
}

}  // namespace fanfare::canvasstore
