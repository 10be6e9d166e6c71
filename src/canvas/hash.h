#pragma once
// The hash of a chunk: docs/canvas.md, "The hash".
//
//   key  = mix(index * 0x9e3779b1 + colour)
//   low  = sum of mix(key ^ 0x27d4eb2f)        over all pixels that do not have the background's colour
//   high = sum of mix(key ^ 0x165667b1)        (32 bits each, wrapping)
//
// It finds mistakes, not attackers. Vectors for all implementations: tests/canvas/hash.json.

#include <cstdint>

#include "canvas/spec.h"

namespace fanfare::canvas {

class ChunkHash {
 public:
  explicit ChunkHash(Colour background) : background_(background) {}

  // The pixel at `index` changes from one colour to another.
  void change(std::uint16_t index, Colour before, Colour after) {
    if (before != background_) add(index, before, ~0U);
    if (after != background_) add(index, after, 1U);
  }
  std::uint64_t value() const { return (std::uint64_t{high_} << 32U) | low_; }

 private:
  static std::uint32_t mix(std::uint32_t value) {
    value ^= value >> 16U;
    value *= 0x85ebca6bU;
    value ^= value >> 13U;
    value *= 0xc2b2ae35U;
    return value ^ (value >> 16U);
  }
  // `sign`: 1, or all ones for -1.
  void add(std::uint32_t index, Colour colour, std::uint32_t sign) {
    const std::uint32_t key = mix(index * 0x9e3779b1U + colour);
    low_ += sign * mix(key ^ 0x27d4eb2fU);
    high_ += sign * mix(key ^ 0x165667b1U);
  }

  Colour background_;
  std::uint32_t low_ = 0;
  std::uint32_t high_ = 0;
};

}  // namespace fanfare::canvas
