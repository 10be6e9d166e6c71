#include "canvas/animation.h"

#include <algorithm>
#include <optional>

namespace fanfare::app {

using canvas::Area;
using canvasserver::append_png_chunk;
using canvasserver::Picture;

namespace {

constexpr std::uint32_t kDelayMax = 65'535;  // a u16
constexpr int kLevel = 6;                    // of zlib

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> static_cast<unsigned>(shift) & 0xffU);
}

// Where two pictures differ, relative to them; empty: nowhere.
std::optional<Area> difference(const std::vector<std::uint8_t>& before,
                               const std::vector<std::uint8_t>& after, const Area& area, std::size_t bytes) {
  const std::size_t row = area.width * bytes;
  std::size_t left = row, right = 0;
  std::uint32_t top = area.height, bottom = 0;
  for (std::uint32_t y = 0; y < area.height; ++y) {
    const auto* const old = before.data() + (y * row);
    const auto* const now = after.data() + (y * row);
    if (std::equal(old, old + row, now)) continue;
    top = std::min(top, y);
    bottom = y + 1;
    const auto first = static_cast<std::size_t>(std::mismatch(old, old + row, now).first - old);
    std::size_t last = row;
    while (old[last - 1] == now[last - 1]) --last;
    left = std::min(left, first);
    right = std::max(right, last);
  }
  if (bottom == 0) return std::nullopt;
  const auto x = static_cast<std::uint32_t>(left / bytes);
  const auto end = static_cast<std::uint32_t>((right + bytes - 1) / bytes);
  return Area{.x = x, .y = top, .width = end - x, .height = bottom - top};
}

Picture cut(const std::vector<std::uint8_t>& pixels, const Area& whole, const Area& part, std::size_t bytes) {
  Picture picture{.area = part, .pixels = {}};
  for (std::uint32_t y = part.y; y < part.y + part.height; ++y) {
    const auto start =
        pixels.begin() + static_cast<std::ptrdiff_t>((std::size_t{y} * whole.width + part.x) * bytes);
    picture.pixels.insert(picture.pixels.end(), start,
                          start + static_cast<std::ptrdiff_t>(part.width * bytes));
  }
  return picture;
}

}  // namespace

void Animation::add(const Picture& picture, std::uint32_t delay_ms) {
  const std::size_t bytes = spec_.bytes_per_colour();
  std::optional<Area> changed = Area{.width = area_.width, .height = area_.height};
  if (frames_ > 0) changed = difference(last_, picture.pixels, area_, bytes);
  if (!changed && delay_ms_ + delay_ms <= kDelayMax) {
    delay_ms_ += delay_ms;
    return;
  }
  // An unchanged frame that is too long is one pixel of the next.
  const Area part = changed.value_or(Area{.width = 1, .height = 1});
  end_frame();
  last_ = picture.pixels;
  part_ = part;
  frame_ = canvasserver::png_data(spec_, cut(last_, area_, part, bytes), kLevel);
  delay_ms_ = std::min(delay_ms, kDelayMax);
  ++frames_;
}

void Animation::end_frame() {
  if (frames_ == 0) return;
  std::string control;
  append_u32(control, sequence_++);
  for (const std::uint32_t number : {part_.width, part_.height, part_.x, part_.y})
    append_u32(control, number);
  append_u32(control, delay_ms_ << 16U | 1000U);
  control += std::string(2, '\0');
  append_png_chunk(body_, "fcTL", control);
  if (frames_ == 1) {
    append_png_chunk(body_, "IDAT", frame_);
  } else {
    std::string data;
    append_u32(data, sequence_++);
    append_png_chunk(body_, "fdAT", data + frame_);
  }
  frame_.clear();
}

std::string Animation::finish() {
  end_frame();
  std::string out(canvasserver::kPngSignature);
  canvasserver::append_png_header(out, spec_, area_);
  std::string control;
  append_u32(control, static_cast<std::uint32_t>(frames_));
  append_u32(control, 0);
  append_png_chunk(out, "acTL", control);
  out += body_;
  append_png_chunk(out, "IEND", "");
  return out;
}

}  // namespace fanfare::app
