#pragma once
// A part of a canvas as a picture, and its PNG (ISO/IEC 15948): 8 bits, with the room's palette or in 24-bit colours.
//
//   89 50 4e 47 0d 0a 1a 0a | IHDR | PLTE (with a palette) | IDAT (zlib) | IEND
//   chunk:  | length u32 | type, 4 letters | data | CRC-32 of type and data u32 |         big-endian
//   IDAT:   row by row | filter 0 | bytes_per_colour() each |

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "canvas/board.h"
#include "canvasserver/storage.h"

namespace fanfare::canvasserver {

// Of one picture: 4096 x 4096.
inline constexpr std::uint64_t kPicturePixelsMax = std::uint64_t{4096} * 4096;

struct Picture {
  canvas::Area area;
  std::vector<std::uint8_t> pixels;  // row by row, RoomSpec::bytes_per_colour() each
};

// Whether the area is not empty, in the canvas, and not larger than kPicturePixelsMax. The text says what is wrong.
std::optional<std::string> picture_problem(const canvas::RoomSpec& spec, const canvas::Area& area);

// Blank, for draw().
Picture blank_picture(const canvas::RoomSpec& spec, const canvas::Area& area);
// The part of the chunk that is in the picture.
void draw(Picture& picture, const canvas::RoomSpec& spec, const StoredChunk& chunk);
void draw(Picture& picture, const canvas::RoomSpec& spec, std::uint32_t x, std::uint32_t y,
          canvas::Colour colour);
// As of the last tick. The room's thread.
Picture picture_of(const canvas::Board& board, const canvas::Area& area);

// The parts of a PNG file.
inline constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";
void append_png_chunk(std::string& out, std::string_view type, std::string_view data);
// IHDR, and PLTE if there is a palette.
void append_png_header(std::string& out, const canvas::RoomSpec& spec, const canvas::Area& area);
// Asked every kPngRows rows; false: the rest is not computed, and the result is empty.
using IsWanted = std::function<bool()>;
inline constexpr std::uint32_t kPngRows = 64;
inline constexpr int kPngLevel = 3;
// The data of IDAT. `level`: of zlib, 0 to 9.
std::string png_data(const canvas::RoomSpec& spec, const Picture& picture, int level,
                     const IsWanted& is_wanted = {});
std::string png_of(const canvas::RoomSpec& spec, const Picture& picture, int level = kPngLevel,
                   const IsWanted& is_wanted = {});

}  // namespace fanfare::canvasserver
