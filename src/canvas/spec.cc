#include "canvas/spec.h"

#include <algorithm>

#include "base/text.h"

namespace fanfare::canvas {
namespace {

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::optional<std::string> palette_problem(const RoomSpec& spec) {
  if (spec.palette.size() < 2 || spec.palette.size() > kPaletteMax) {
    return "a palette has 2 to 256 colours, and this one " + std::to_string(spec.palette.size());
  }
  auto sorted = spec.palette;
  std::ranges::sort(sorted);
  if (sorted.back() > 0xFFFFFF) return "a colour of the palette is not 0xRRGGBB";
  if (std::ranges::adjacent_find(sorted) != sorted.end()) return "a colour is twice in the palette";
  if (!spec.colour_of(spec.background)) return "the background must be one of the palette's colours";
  return std::nullopt;
}

}  // namespace

std::optional<Colour> RoomSpec::colour_of(std::uint32_t rgb) const {
  if (!has_palette()) return rgb <= 0xFFFFFF ? std::optional(rgb) : std::nullopt;
  const auto found = std::ranges::find(palette, rgb);
  if (found == palette.end()) return std::nullopt;
  return static_cast<Colour>(found - palette.begin());
}

std::optional<std::string> problem_with(const RoomSpec& spec) {
  if (spec.name.empty() || spec.name.size() > kRoomNameBytesMax ||
      !std::ranges::all_of(spec.name, is_name_byte)) {
    return "a room's name has 1 to 64 letters, digits, '-' and '_'";
  }
  for (const std::uint32_t side : {spec.width, spec.height}) {
    if (side == 0 || side > kSideMax) {
      return joined({"width and height are 1 to 65536, and one is ", std::to_string(side)});
    }
  }
  if (spec.background > 0xFFFFFF) return "the background is not 0xRRGGBB";
  return spec.has_palette() ? palette_problem(spec) : std::nullopt;
}

}  // namespace fanfare::canvas
