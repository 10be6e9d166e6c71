#pragma once
// What a room is: its name, its size and its colours. Plain data, which never changes while the room exists.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fanfare::canvas {

// In a room with a palette an index into it, otherwise 0xRRGGBB.
using Colour = std::uint32_t;
// Of a user within his room. 0: nobody.
using UserNumber = std::uint32_t;
// Of a chunk: the number of ticks that have changed it.
using Version = std::uint64_t;

inline constexpr UserNumber kUserNumberMax = ~UserNumber{0};  // never given to a user
inline constexpr std::uint32_t kSideMax = 65'536;
inline constexpr std::size_t kPaletteMax = 256;
inline constexpr std::size_t kRoomNameBytesMax = 64;

struct RoomSpec {
  std::string name = "main";  // letters, digits, '-' and '_'
  std::uint32_t width = 1000;
  std::uint32_t height = 1000;
  std::uint32_t background = 0xFFFFFF;      // 0xRRGGBB; in a room with a palette one of its colours
  std::vector<std::uint32_t> palette = {};  // 0xRRGGBB each, all different, 2 to kPaletteMax; empty: 24 bits

  bool has_palette() const { return !palette.empty(); }
  // Of a pixel in PIXELS, CHUNK and TICK.
  std::size_t bytes_per_colour() const { return has_palette() ? 1 : 3; }
  // `colour` must be valid.
  std::uint32_t rgb_of(Colour colour) const { return has_palette() ? palette[colour] : colour; }
  // Empty: the palette does not have it.
  std::optional<Colour> colour_of(std::uint32_t rgb) const;
  // What colours must be less than.
  std::uint32_t colour_end() const {
    return has_palette() ? static_cast<std::uint32_t>(palette.size()) : 0x100'0000U;
  }
  Colour background_colour() const { return colour_of(background).value_or(0); }
  bool operator==(const RoomSpec&) const = default;
};

// Why this cannot be a room, for people; empty: it can. Every other part of src/canvas expects a valid one.
std::optional<std::string> problem_with(const RoomSpec& spec);

}  // namespace fanfare::canvas
