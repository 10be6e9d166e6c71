#include "canvasserver/picture.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace fanfare::canvasserver {

using canvas::Area;
using canvas::Colour;
using canvas::kChunkSide;
using canvas::RoomSpec;

namespace {

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> static_cast<unsigned>(shift) & 0xffU);
}

void write_colour(std::uint8_t* to, Colour colour, std::size_t bytes) {
  if (bytes == 1) {
    to[0] = static_cast<std::uint8_t>(colour);
    return;
  }
  to[0] = static_cast<std::uint8_t>(colour >> 16U);
  to[1] = static_cast<std::uint8_t>(colour >> 8U);
  to[2] = static_cast<std::uint8_t>(colour);
}

// What the picture and a chunk have in common, with exclusive ends.
struct Common {
  std::uint32_t left, top, right, bottom;
};
Common common(const RoomSpec& spec, const Area& area, canvas::ChunkId chunk) {
  const std::uint32_t x = chunk.x * kChunkSide;
  const std::uint32_t y = chunk.y * kChunkSide;
  return {.left = std::max(area.x, x),
          .top = std::max(area.y, y),
          .right = std::min(area.x + area.width, x + canvas::columns_of(spec, chunk)),
          .bottom = std::min(area.y + area.height, y + canvas::rows_of(spec, chunk))};
}

}  // namespace

std::optional<std::string> picture_problem(const RoomSpec& spec, const Area& area) {
  if (area.is_empty()) return "width and height must be at least 1";
  if (area.x >= spec.width || area.width > spec.width - area.x || area.y >= spec.height ||
      area.height > spec.height - area.y) {
    return "the canvas has " + std::to_string(spec.width) + " x " + std::to_string(spec.height) + " pixels";
  }
  if (std::uint64_t{area.width} * area.height > kPicturePixelsMax) {
    return "a picture has at most " + std::to_string(kPicturePixelsMax) +
           " pixels: x, y, width and height cut a part";
  }
  return std::nullopt;
}

Picture blank_picture(const RoomSpec& spec, const Area& area) {
  const std::size_t bytes = spec.bytes_per_colour();
  Picture picture{.area = area,
                  .pixels = std::vector<std::uint8_t>(std::size_t{area.width} * area.height * bytes)};
  std::array<std::uint8_t, 3> blank{};
  write_colour(blank.data(), spec.background_colour(), bytes);
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = blank[i % bytes];
  return picture;
}

void draw(Picture& picture, const RoomSpec& spec, const StoredChunk& chunk) {
  const Common part = common(spec, picture.area, chunk.chunk);
  for (std::uint32_t y = part.top; y < part.bottom; ++y) {
    for (std::uint32_t x = part.left; x < part.right; ++x) {
      draw(picture, spec, x, y, chunk.pixels.colours[(y % kChunkSide * kChunkSide) + (x % kChunkSide)]);
    }
  }
}

void draw(Picture& picture, const RoomSpec& spec, std::uint32_t x, std::uint32_t y, Colour colour) {
  const std::size_t bytes = spec.bytes_per_colour();
  const Area& area = picture.area;
  const std::size_t place = (std::size_t{y - area.y} * area.width) + (x - area.x);
  write_colour(picture.pixels.data() + (place * bytes), colour, bytes);
}

Picture picture_of(const canvas::Board& board, const Area& area) {
  const RoomSpec& spec = board.spec();
  const std::size_t bytes = spec.bytes_per_colour();
  Picture picture = blank_picture(spec, area);
  std::vector<std::uint8_t> colours;
  for (const canvas::ChunkId id : board.chunks()) {
    if (!canvas::ChunkArea::of(area).contains(id)) continue;
    colours.clear();
    board.find(id)->copy_colours(colours);
    const Common part = common(spec, area, id);
    const std::size_t columns = canvas::columns_of(spec, id);
    for (std::uint32_t y = part.top; y < part.bottom; ++y) {
      const std::size_t from = (y % kChunkSide * columns) + (part.left % kChunkSide);
      const std::size_t to = (std::size_t{y - area.y} * area.width) + (part.left - area.x);
      std::memcpy(picture.pixels.data() + (to * bytes), colours.data() + (from * bytes),
                  (part.right - part.left) * bytes);
    }
  }
  return picture;
}

void append_png_chunk(std::string& out, std::string_view type, std::string_view data) {
  append_u32(out, static_cast<std::uint32_t>(data.size()));
  const std::size_t start = out.size();
  out += type;
  out += data;
  const Bytes checked = as_bytes(std::string_view(out).substr(start));
  append_u32(out,
             static_cast<std::uint32_t>(crc32_z(crc32_z(0, nullptr, 0), checked.data(), checked.size())));
}

void append_png_header(std::string& out, const RoomSpec& spec, const Area& area) {
  std::string header;
  append_u32(header, area.width);
  append_u32(header, area.height);
  header += '\x08';                                // bits
  header += spec.has_palette() ? '\x03' : '\x02';  // indexed, or red green blue
  header += std::string(3, '\0');                  // deflate, filters by row, not interlaced
  append_png_chunk(out, "IHDR", header);
  if (!spec.has_palette()) return;
  std::string palette;
  for (const std::uint32_t rgb : spec.palette) {
    palette += static_cast<char>(rgb >> 16U);
    palette += static_cast<char>(rgb >> 8U);
    palette += static_cast<char>(rgb);
  }
  append_png_chunk(out, "PLTE", palette);
}

namespace {

// A zlib stream into one string, which is large enough from the start.
class Deflater {
 public:
  Deflater(std::size_t bytes, int level) {
    // Its only error is a lack of memory.
    FANFARE_CHECK(deflateInit(&stream_, level) == Z_OK);
    data_.resize(deflateBound(&stream_, bytes));
    stream_.next_out = reinterpret_cast<Bytef*>(data_.data());
    stream_.avail_out = static_cast<uInt>(data_.size());
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { deflateEnd(&stream_); }

  void add(std::span<std::uint8_t> bytes, bool is_last) {
    stream_.next_in = bytes.data();
    stream_.avail_in = static_cast<uInt>(bytes.size());
    deflate(&stream_, is_last ? Z_FINISH : Z_NO_FLUSH);
  }
  std::string take() {
    data_.resize(stream_.total_out);
    return std::move(data_);
  }

 private:
  z_stream stream_{};
  std::string data_;
};

}  // namespace

std::string png_data(const RoomSpec& spec, const Picture& picture, int level, const IsWanted& is_wanted) {
  const std::size_t row = picture.area.width * spec.bytes_per_colour();
  const std::uint32_t height = picture.area.height;
  Deflater deflater((row + 1) * height, level);
  std::vector<std::uint8_t> raw;
  for (std::uint32_t y = 0; y < height; ++y) {
    raw.push_back(0);
    const auto start = picture.pixels.begin() + static_cast<std::ptrdiff_t>(y * row);
    raw.insert(raw.end(), start, start + static_cast<std::ptrdiff_t>(row));
    const bool is_last = y + 1 == height;
    if (!is_last && (y + 1) % kPngRows != 0) continue;
    if (is_wanted && !is_wanted()) return {};
    deflater.add(raw, is_last);
    raw.clear();
  }
  return deflater.take();
}

std::string png_of(const RoomSpec& spec, const Picture& picture, int level, const IsWanted& is_wanted) {
  std::string out(kPngSignature);
  append_png_header(out, spec, picture.area);
  const std::string data = png_data(spec, picture, level, is_wanted);
  if (data.empty()) return {};
  append_png_chunk(out, "IDAT", data);
  append_png_chunk(out, "IEND", "");
  return out;
}

}  // namespace fanfare::canvasserver
