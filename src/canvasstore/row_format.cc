#include "canvasstore/row_format.h"

#include <zlib.h>

#include <array>
#include <cstring>

namespace fanfare::canvasstore {
namespace {

using canvas::kChunkPixels;

void append_varint(std::vector<std::uint8_t>& data, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7U) data.push_back(static_cast<std::uint8_t>(number | 0x80U));
  data.push_back(static_cast<std::uint8_t>(number));
}

std::vector<std::uint8_t> deflated(Bytes bytes) {
  uLongf size = compressBound(bytes.size());
  std::vector<std::uint8_t> packed(size);
  // Its only error is a lack of room, which compressBound() excludes.
  compress2(packed.data(), &size, bytes.data(), bytes.size(), Z_BEST_SPEED);
  packed.resize(size);
  return packed;
}

bool inflate_exactly(Bytes packed, std::vector<std::uint8_t>& out) {
  uLongf size = out.size();
  return uncompress(out.data(), &size, packed.data(), packed.size()) == Z_OK && size == out.size();
}

}  // namespace

std::vector<std::uint8_t> encode_pixels(std::span<const canvas::TickPixel> pixels, bool has_palette) {
  std::vector<std::uint8_t> data;
  data.reserve(pixels.size() * 6);
  for (const canvas::TickPixel& pixel : pixels) {
    data.push_back(static_cast<std::uint8_t>(pixel.index));
    data.push_back(static_cast<std::uint8_t>(pixel.index >> 8U));
    if (!has_palette) {
      data.push_back(static_cast<std::uint8_t>(pixel.colour >> 16U));
      data.push_back(static_cast<std::uint8_t>(pixel.colour >> 8U));
    }
    data.push_back(static_cast<std::uint8_t>(pixel.colour));
    append_varint(data, pixel.user);
  }
  return data;
}

std::vector<std::uint8_t> encode_taken_back(std::span<const canvas::TakenBack> taken_back) {
  std::vector<std::uint8_t> data;
  data.reserve(taken_back.size() * 7);
  for (const canvas::TakenBack& one : taken_back) {
    const std::uint16_t index = canvas::index_of(one.x, one.y);
    data.push_back(static_cast<std::uint8_t>(index));
    data.push_back(static_cast<std::uint8_t>(index >> 8U));
    data.push_back(one.is_drawn ? 1 : 0);
    append_varint(data, one.user);
    append_varint(data, one.from);
  }
  return data;
}

std::vector<std::uint8_t> pack_colours(std::span<const std::uint32_t> colours, bool has_palette) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(colours.size() * (has_palette ? 1 : 3));
  for (const std::uint32_t colour : colours) {
    if (!has_palette) {
      bytes.push_back(static_cast<std::uint8_t>(colour >> 16U));
      bytes.push_back(static_cast<std::uint8_t>(colour >> 8U));
    }
    bytes.push_back(static_cast<std::uint8_t>(colour));
  }
  return deflated(bytes);
}

std::vector<std::uint8_t> pack_users(std::span<const std::uint32_t> users) {
  std::vector<std::uint8_t> bytes(users.size() * 4);
  std::memcpy(bytes.data(), users.data(), bytes.size());
  return deflated(bytes);
}

std::optional<std::vector<std::uint32_t>> unpack_colours(Bytes packed, bool has_palette) {
  const std::size_t each = has_palette ? 1 : 3;
  std::vector<std::uint8_t> bytes(kChunkPixels * each);
  if (!inflate_exactly(packed, bytes)) return std::nullopt;
  std::vector<std::uint32_t> colours(kChunkPixels);
  for (std::size_t i = 0; i < kChunkPixels; ++i) {
    for (std::size_t k = 0; k < each; ++k) colours[i] = colours[i] << 8U | bytes[i * each + k];
  }
  return colours;
}

std::optional<std::vector<std::uint32_t>> unpack_users(Bytes packed) {
  std::vector<std::uint8_t> bytes(kChunkPixels * 4);
  if (!inflate_exactly(packed, bytes)) return std::nullopt;
  std::vector<std::uint32_t> users(kChunkPixels);
  std::memcpy(users.data(), bytes.data(), bytes.size());
  return users;
}

std::int64_t row_checksum(std::int64_t chunk, std::uint64_t tick, std::uint64_t version, Bytes first,
                          Bytes second) {
  const std::array<std::uint64_t, 4> key{static_cast<std::uint64_t>(chunk), tick, version, first.size()};
  std::array<std::uint8_t, sizeof key> bytes;
  std::memcpy(bytes.data(), key.data(), bytes.size());
  uLong value = crc32_z(crc32_z(0, nullptr, 0), bytes.data(), bytes.size());
  for (const Bytes part : {first, second}) {
    if (!part.empty()) value = crc32_z(value, part.data(), part.size());
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace fanfare::canvasstore
