#pragma once
// The bytes of the rows of a room's file.
//
//   changes.data        count x ( index u16 | colour 1 byte in a room with a palette, else 3: red green blue | user varint )
//   taken_back.data     count x ( index u16 | drawn u8: 0 or 1 | user varint | from varint, a tick )
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

std::vector<std::uint8_t> encode_taken_back(std::span<const canvas::TakenBack> taken_back);
// Calls visit(const TakenBack&) for each. False: these bytes are none.
template <typename Visit>
bool decode_taken_back(Bytes data, canvas::ChunkId chunk, Visit visit);

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

// Reads a number of at most `bits` bits, 7 bits a byte. Empty if the data is not such a number.
inline std::optional<std::uint64_t> take_varint(Bytes data, std::size_t& at, std::uint32_t bits) {
  std::uint64_t number = 0;
  for (std::uint32_t shift = 0; at < data.size() && shift < bits; shift += 7) {
    const std::uint8_t byte = data[at++];
    number |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

template <typename Visit>
bool decode_taken_back(Bytes data, canvas::ChunkId chunk, Visit visit) {
  std::size_t at = 0;
  while (at < data.size()) {
    if (data.size() - at < 5 || data[at + 2] > 1) return false;
    const auto index = static_cast<std::uint16_t>(data[at] | data[at + 1] << 8U);
    canvas::TakenBack one{.x = canvas::x_of(chunk, index), .y = canvas::y_of(chunk, index)};
    one.is_drawn = data[at + 2] == 1;
    at += 3;
    const auto user = take_varint(data, at, 32);
    const auto from = take_varint(data, at, 64);
    if (!user || !from) return false;
    one.user = static_cast<canvas::UserNumber>(*user);
    one.from = *from;
    visit(one);
  }
  return true;
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
    const auto user = take_varint(data, at, 32);
    if (!user) return false;
    pixel.user = static_cast<canvas::UserNumber>(*user);
    visit(pixel);
  }
  return true;
}

}  // namespace fanfare::canvasstore
