#pragma once
// For the fuzzers of a shared canvas: one instance's copy of its room, and input that consists of pieces.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "canvas/replica.h"
#include "canvas/room.h"

namespace fanfare::canvas {

struct FuzzedCopy {
  explicit FuzzedCopy(const RoomSpec& spec)
      : room({.spec = spec, .limits = shared_limits({.chunks_max = 2}), .epoch = 1}), replica(room) {}

  std::vector<std::uint8_t> saved() const {
    std::vector<std::uint8_t> bytes;
    replica.save(bytes);
    return bytes;
  }

  Room room;
  Replica replica;
};

inline RoomSpec fuzzed_spec(std::uint16_t width, std::uint16_t height, bool has_palette) {
  RoomSpec spec{.width = width, .height = height, .background = 0};
  if (has_palette) spec.palette = {0, 0xFF0000, 0x00FF00};
  return spec;
}

// Calls `visit` with each piece. Two bytes of length (little-endian) come before it; the last one may be shorter than that says.
template <typename Visit>
void for_each_piece(Bytes bytes, Visit visit) {
  while (bytes.size() >= 2) {
    const std::size_t length = std::min<std::size_t>(bytes[0] | (bytes[1] << 8U), bytes.size() - 2);
    visit(bytes.subspan(2, length));
    bytes = bytes.subspan(2 + length);
  }
}

}  // namespace fanfare::canvas
