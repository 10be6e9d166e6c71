#include "canvas/truth.h"

#include <zlib.h>

#include <algorithm>

namespace fanfare::bench::canvas {
namespace {

constexpr std::size_t kTicksKept = 1024;
constexpr std::size_t kChunkMessagesKept = 4096;

std::uint32_t mix(std::uint32_t v) {
  v ^= v >> 16;
  v *= 0x85ebca6bU;
  v ^= v >> 13;
  v *= 0xc2b2ae35U;
  return v ^ v >> 16;
}

// What a pixel adds, each half by itself ("The hash" in docs/canvas.md).
std::uint64_t plus(std::uint64_t hash, std::uint32_t index, std::uint32_t colour, bool subtract) {
  const std::uint32_t key = mix(index * 0x9e3779b1U + colour);
  const std::uint32_t low = mix(key ^ 0x27d4eb2fU);
  const std::uint32_t high = mix(key ^ 0x165667b1U);
  const auto add = [&](std::uint32_t sum, std::uint32_t part) { return subtract ? sum - part : sum + part; };
  return static_cast<std::uint64_t>(add(static_cast<std::uint32_t>(hash >> 32), high)) << 32 |
         add(static_cast<std::uint32_t>(hash), low);
}

std::optional<std::string> inflated(Bytes deflated, std::size_t size) {
  std::string out(size, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, -15) != Z_OK) give_up("zlib");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(deflated.data()));
  stream.avail_in = static_cast<uInt>(deflated.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(size);
  const int result = inflate(&stream, Z_FINISH);
  const bool whole = result == Z_STREAM_END && stream.avail_out == 0 && stream.avail_in == 0;
  inflateEnd(&stream);
  if (!whole) return std::nullopt;
  return out;
}

}  // namespace

std::optional<Welcome> read_welcome(Bytes message) {
  Input input(message);
  if (input.u8() != 0x81 || input.u8() != 1) return std::nullopt;
  Welcome room{.epoch = input.little(8)};
  input.little(8);
  room.width = static_cast<std::uint32_t>(input.varint());
  room.height = static_cast<std::uint32_t>(input.varint());
  input.varint();
  room.background = input.rgb();
  const std::uint64_t colours = input.varint();
  room.has_palette = colours > 0;
  for (std::uint64_t i = 0; i < colours && !input.failed(); ++i) input.rgb();
  input.text();
  room.user = input.varint();
  for (int i = 0; i < 3; ++i) input.varint();
  input.u8();
  if (input.failed() || !input.at_end()) return std::nullopt;
  return room;
}

Truth::Truth(const Welcome& room)
    : room_(room),
      columns_((room.width + kSide - 1) / kSide),
      rows_((room.height + kSide - 1) / kSide),
      chunks_(columns_ * rows_) {}

std::uint32_t Truth::width_of(std::uint32_t chunk) const {
  return std::min(kSide, room_.width - chunk % columns_ * kSide);
}
std::uint32_t Truth::height_of(std::uint32_t chunk) const {
  return std::min(kSide, room_.height - chunk / columns_ * kSide);
}

const TickFrame* Truth::tick(Bytes message) {
  Input input(message.substr(1));
  const std::uint64_t number = input.varint();
  auto& frames = ticks_[number];
  for (const auto& frame : frames) {
    if (frame->bytes == message) return frame.get();
  }
  auto frame = std::make_unique<TickFrame>();
  frame->bytes = message;
  decode(*frame);
  ++frames_decoded;
  if (frame->sections.empty()) return nullptr;
  for (const Section& section : frame->sections) apply(*frame, section);
  frames.push_back(std::move(frame));
  const TickFrame* result = frames.back().get();
  while (ticks_.size() > kTicksKept && ticks_.begin()->first != number) ticks_.erase(ticks_.begin());
  return result;
}

// Leaves the frame without sections if it is malformed.
void Truth::decode(TickFrame& frame) {
  Input input(Bytes(frame.bytes).substr(1));
  input.varint();
  while (!input.at_end() && !input.failed()) {
    Section section{.first = static_cast<std::uint32_t>(frame.pixels.size())};
    const std::uint32_t column = input.u8();
    const std::uint32_t row = input.u8();
    section.chunk = row * columns_ + column;
    section.version = input.varint();
    section.hash = input.little(8);
    bool good = column < columns_ && row < rows_;
    for (std::uint64_t groups = input.varint(); good && groups > 0 && !input.failed(); --groups) {
      const std::uint32_t colour = room_.has_palette ? input.u8() : input.rgb();
      std::uint64_t index = 0;
      const std::uint64_t count = input.varint();
      for (std::uint64_t i = 0; good && i < count && !input.failed(); ++i) {
        const std::uint64_t step = input.varint();
        index += step;
        good = (i == 0 || step > 0) && index < kSide * kSide && index % kSide < width_of(section.chunk) &&
               index / kSide < height_of(section.chunk);
        frame.pixels.push_back({static_cast<std::uint32_t>(index), colour});
        if (colour < kMarks) frame.marks.push_back(colour);
      }
    }
    if (!good || input.failed()) {
      ++faults.malformed;
      frame.sections.clear();
      return;
    }
    section.count = static_cast<std::uint32_t>(frame.pixels.size()) - section.first;
    frame.sections.push_back(section);
  }
  if (input.failed()) frame.sections.clear();
  if (frame.sections.empty()) ++faults.malformed;
}

void Truth::apply(const TickFrame& frame, const Section& section) {
  std::uint64_t digest = 1;
  for (std::uint32_t i = 0; i < section.count; ++i) {
    const Pixel& pixel = frame.pixels[section.first + i];
    digest +=
        static_cast<std::uint64_t>(mix(pixel.index * 0x85ebca6bU + pixel.colour)) * 0x9e3779b97f4a7c15ULL;
  }
  Chunk& chunk = chunks_[section.chunk];
  if (const auto seen = chunk.seen.find(section.version); seen != chunk.seen.end()) {
    if (seen->second.hash != section.hash || (seen->second.digest != 0 && seen->second.digest != digest))
      ++faults.diverged;
    seen->second.digest = digest;
    return;
  }
  // Before the first chunk arrived, or after a version that nobody was sent as a tick: its pixels cannot be checked by themselves.
  if (section.version != chunk.version + 1) {
    ++sections_unchecked;
    return;
  }
  const std::uint32_t width = width_of(section.chunk);
  if (chunk.colours.empty())
    chunk.colours.assign(static_cast<std::size_t>(width) * height_of(section.chunk), room_.background);
  for (std::uint32_t i = 0; i < section.count; ++i) {
    const Pixel& pixel = frame.pixels[section.first + i];
    std::uint32_t& colour = chunk.colours[pixel.index / kSide * width + pixel.index % kSide];
    if (colour != room_.background) chunk.hash = plus(chunk.hash, pixel.index, colour, true);
    if (pixel.colour != room_.background) chunk.hash = plus(chunk.hash, pixel.index, pixel.colour, false);
    colour = pixel.colour;
  }
  chunk.version = section.version;
  if (chunk.hash != section.hash) ++faults.wrong_hash;
  chunk.seen[section.version] = {.hash = section.hash, .digest = digest};
}

void Truth::check(std::uint32_t chunk, std::uint64_t version, std::uint64_t hash) {
  const auto seen = chunks_[chunk].seen.find(version);
  if (seen != chunks_[chunk].seen.end() && seen->second.hash != hash) ++faults.diverged;
}

std::optional<Section> Truth::chunk(Bytes message) {
  if (const auto known = chunk_messages_.find(std::string(message)); known != chunk_messages_.end())
    return known->second;
  Input input(message.substr(1));
  const std::uint32_t column = input.u8();
  const std::uint32_t row = input.u8();
  Section section{.chunk = row * columns_ + column, .version = input.varint(), .hash = input.little(8)};
  if (input.failed() || column >= columns_ || row >= rows_) {
    ++faults.malformed;
    return std::nullopt;
  }
  Chunk& chunk = chunks_[section.chunk];
  check(section.chunk, section.version, section.hash);
  if (section.version == 0) return section;
  const std::size_t pixels = static_cast<std::size_t>(width_of(section.chunk)) * height_of(section.chunk);
  const std::size_t size = room_.has_palette ? 1 : 3;
  const auto raw = inflated(input.rest(), pixels * size);
  if (!raw) {
    ++faults.malformed;
    return std::nullopt;
  }
  std::vector<std::uint32_t> colours(pixels);
  std::uint64_t hash = 0;
  Input bytes(*raw);
  for (std::size_t i = 0; i < pixels; ++i) {
    colours[i] = room_.has_palette ? bytes.u8() : bytes.rgb();
    const auto index =
        static_cast<std::uint32_t>(i / width_of(section.chunk) * kSide + i % width_of(section.chunk));
    if (colours[i] != room_.background) hash = plus(hash, index, colours[i], false);
  }
  if (hash != section.hash) ++faults.wrong_hash;
  if (section.version > chunk.version) {
    chunk.colours = std::move(colours);
    chunk.version = section.version;
    chunk.hash = hash;
    chunk.seen[section.version] = {.hash = hash};
  }
  if (chunk_messages_.size() >= kChunkMessagesKept) chunk_messages_.clear();
  chunk_messages_.emplace(message, section);
  return section;
}

}  // namespace fanfare::bench::canvas
