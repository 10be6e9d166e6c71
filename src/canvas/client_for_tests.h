#pragma once
// A client that knows docs/canvas.md and nothing else: it has its own reader of bytes, its own hash, and zlib. What it
// finds wrong is a test failure.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "ws/inflate_stream.h"

namespace fanfare::canvas {

// The payload of a server's frame.
inline std::vector<std::uint8_t> payload_of(const SharedBytes& frame) {
  const Bytes bytes = frame.view();
  EXPECT_EQ(bytes[0], 0x82);
  const std::size_t header = bytes[1] < 126 ? 2 : bytes[1] == 126 ? 4 : 10;
  return {bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end()};
}

struct ByteCursor {
  Bytes rest;

  std::uint64_t number(std::size_t size) {
    EXPECT_GE(rest.size(), size);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{rest[i]} << (8 * i);
    rest = rest.subspan(size);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = number(1);
      value |= (byte & 127U) << shift;
      if (byte < 128) return value;
    }
  }
  std::uint32_t colour(bool has_palette) {
    if (has_palette) return static_cast<std::uint32_t>(number(1));
    const auto red = static_cast<std::uint32_t>(number(1));
    const auto green = static_cast<std::uint32_t>(number(1));
    return (red << 16U) | (green << 8U) | static_cast<std::uint32_t>(number(1));
  }
  std::string text() {
    const std::size_t size = varint();
    const std::string value(as_text(rest.first(size)));
    rest = rest.subspan(size);
    return value;
  }
};

class TestClient {
 public:
  using Id = std::pair<unsigned, unsigned>;  // column, row
  struct Held {
    std::uint64_t version = 0;
    std::uint64_t hash = 0;
    std::vector<std::uint32_t> colours;  // columns x rows
  };
  struct Ack {
    std::uint64_t request, accepted, status, retry_ms;
    bool operator==(const Ack&) const = default;
  };

  void receive(Bytes message) {
    ByteCursor in{message};
    switch (in.number(1)) {
      case 0x81:
        return read_welcome(in);
      case 0x82:
        return read_chunk(in);
      case 0x83:
        return read_current(in);
      case 0x84:
        return read_tick(in);
      case 0x85: {
        Ack ack{in.varint(), in.varint(), in.number(1), in.varint()};
        acks.push_back(ack);
        break;
      }
      default:
        ADD_FAILURE() << "op-code " << int{message[0]};
        return;
    }
    EXPECT_TRUE(in.rest.empty());
  }
  void receive(const SharedBytes& frame) { receive(Bytes(payload_of(frame))); }

  // A WATCH of these chunks; names what the client has in the area, if `names_known`. What is not watched any more is
  // kept, but does not count as watched.
  std::vector<std::uint8_t> watch(unsigned x0, unsigned y0, unsigned x1, unsigned y1,
                                  bool names_known = true) {
    std::vector<std::uint8_t> out{2, static_cast<std::uint8_t>(x0), static_cast<std::uint8_t>(y0),
                                  static_cast<std::uint8_t>(x1), static_cast<std::uint8_t>(y1)};
    for (unsigned shift = 0; shift < 64; shift += 8)
      out.push_back(static_cast<std::uint8_t>(epoch_of_held >> shift));
    std::vector<std::uint8_t> list;
    unsigned count = 0;
    for (const auto& [id, chunk] : held) {
      if (!names_known || id.first < x0 || id.first > x1 || id.second < y0 || id.second > y1) continue;
      ++count;
      list.push_back(static_cast<std::uint8_t>(id.first));
      list.push_back(static_cast<std::uint8_t>(id.second));
      append_varint(list, chunk.version);
    }
    append_varint(out, count);
    out.insert(out.end(), list.begin(), list.end());
    return out;
  }

  std::uint32_t at(std::uint32_t x, std::uint32_t y) const {
    const auto found = held.find({x / 256, y / 256});
    if (found == held.end()) return background;
    return found->second.colours[(y % 256) * columns(x / 256) + x % 256];
  }

  static void append_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
    for (; value > 127; value /= 128) out.push_back(static_cast<std::uint8_t>(value % 128 + 128));
    out.push_back(static_cast<std::uint8_t>(value));
  }

  std::uint64_t epoch = 0;
  std::uint64_t epoch_of_held = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<std::uint32_t> palette;
  std::uint32_t background = 0;  // as a colour of the room
  std::string user_id;
  std::uint64_t user = 0;
  std::map<Id, Held> held;
  std::vector<Ack> acks;
  std::uint64_t chunks_received = 0;
  std::uint64_t sections_received = 0;
  std::uint64_t sections_ignored = 0;
  std::uint64_t current_received = 0;

 private:
  static constexpr std::uint64_t kHigh = 0xFFFF'FFFF'0000'0000U;
  static constexpr std::size_t kPlainMax = 1U << 20U;

  static std::uint32_t mix(std::uint32_t v) {
    v ^= v >> 16U;
    v *= 0x85ebca6bU;
    v ^= v >> 13U;
    v *= 0xc2b2ae35U;
    return v ^ (v >> 16U);
  }

  std::uint32_t columns(unsigned cx) const { return std::min(256U, width - cx * 256); }
  std::uint32_t rows(unsigned cy) const { return std::min(256U, height - cy * 256); }

  // What a pixel adds to the hash.
  std::uint64_t part_of(std::uint32_t index, std::uint32_t colour) const {
    if (colour == background) return 0;
    const std::uint32_t key = mix(index * 0x9e3779b1U + colour);
    return (std::uint64_t{mix(key ^ 0x165667b1U)} << 32U) | mix(key ^ 0x27d4eb2fU);
  }
  static std::uint64_t sum(std::uint64_t hash, std::uint64_t part) {
    const std::uint64_t high = (hash & kHigh) + (part & kHigh);
    return high | ((hash + part) & ~kHigh);
  }
  static std::uint64_t difference(std::uint64_t hash, std::uint64_t part) {
    const std::uint64_t high = (hash & kHigh) - (part & kHigh);
    return high | ((hash - part) & ~kHigh);
  }

  std::uint64_t hash_of(const Held& chunk, unsigned cx) const {
    const std::uint32_t width_of_chunk = columns(cx);
    std::uint64_t hash = 0;
    std::uint32_t i = 0;
    for (const std::uint32_t colour : chunk.colours) {
      hash = sum(hash, part_of(i / width_of_chunk * 256 + i % width_of_chunk, colour));
      ++i;
    }
    return hash;
  }

  void read_welcome(ByteCursor in) {
    EXPECT_EQ(in.number(1), 1U);
    epoch = in.number(8);
    in.number(8);
    width = static_cast<std::uint32_t>(in.varint());
    height = static_cast<std::uint32_t>(in.varint());
    in.varint();
    const std::uint32_t rgb = in.colour(false);
    palette.resize(in.varint());
    for (std::uint32_t& colour : palette) colour = in.colour(false);
    background = rgb;
    for (std::uint32_t i = 0; i < palette.size(); ++i) {
      if (palette[i] == rgb) background = i;
    }
    user_id = in.text();
    user = in.varint();
    in.varint();
    in.varint();
    in.varint();
    in.number(1);
    EXPECT_TRUE(in.rest.empty());
    // Versions of another epoch mean nothing.
    if (epoch != epoch_of_held) held.clear();
    epoch_of_held = epoch;
  }

  void read_chunk(ByteCursor in) {
    const auto cx = static_cast<unsigned>(in.number(1));
    const auto cy = static_cast<unsigned>(in.number(1));
    ++chunks_received;
    Held chunk;
    chunk.version = in.varint();
    chunk.hash = in.number(8);
    const std::size_t count = std::size_t{columns(cx)} * rows(cy);
    chunk.colours.assign(count, background);
    if (chunk.version == 0) {
      EXPECT_EQ(chunk.hash, 0U);
      EXPECT_TRUE(in.rest.empty());
    } else {
      std::vector<std::uint8_t> plain;
      ws::InflateStream inflater({});
      EXPECT_TRUE(inflater.feed(
          in.rest, true,
          {.message_bytes_max = kPlainMax, .ratio_max = 10'000, .ratio_floor_bytes = kPlainMax}, plain));
      const bool has_palette = !palette.empty();
      ASSERT_EQ(plain.size(), count * (has_palette ? 1 : 3));
      const std::uint8_t* at = plain.data();
      for (std::uint32_t& colour : chunk.colours) {
        colour = *at++;
        if (has_palette) continue;
        colour = (colour << 16U) | (std::uint32_t{at[0]} << 8U) | at[1];
        at += 2;
      }
      EXPECT_EQ(hash_of(chunk, cx), chunk.hash) << "chunk " << cx << " " << cy;
    }
    held[{cx, cy}] = std::move(chunk);
  }

  void read_current(ByteCursor in) {
    const std::uint64_t count = in.varint();
    for (std::uint64_t i = 0; i < count; ++i, ++current_received) {
      const auto cx = static_cast<unsigned>(in.number(1));
      const auto cy = static_cast<unsigned>(in.number(1));
      const std::uint64_t version = in.varint();
      const std::uint64_t hash = in.number(8);
      const auto found = held.find({cx, cy});
      ASSERT_NE(found, held.end());
      EXPECT_EQ(found->second.version, version);
      EXPECT_EQ(found->second.hash, hash);
    }
    EXPECT_TRUE(in.rest.empty());
  }

  void read_tick(ByteCursor in) {
    in.varint();
    while (!in.rest.empty()) {
      ++sections_received;
      const auto cx = static_cast<unsigned>(in.number(1));
      const auto cy = static_cast<unsigned>(in.number(1));
      const std::uint64_t version = in.varint();
      const std::uint64_t hash = in.number(8);
      const auto found = held.find({cx, cy});
      ASSERT_NE(found, held.end()) << "a section of a chunk that the client was not given";
      Held& chunk = found->second;
      ASSERT_LE(version, chunk.version + 1) << "chunk " << cx << " " << cy;
      // It named an older version while a newer one was on its way.
      const bool is_known = version <= chunk.version;
      sections_ignored += is_known ? 1 : 0;
      const std::uint64_t groups = in.varint();
      for (std::uint64_t group = 0; group < groups; ++group) {
        const std::uint32_t colour = in.colour(!palette.empty());
        const std::uint64_t count = in.varint();
        std::uint64_t index = 0;
        for (std::uint64_t i = 0; i < count; ++i) {
          const std::uint64_t step = in.varint();
          EXPECT_TRUE(i == 0 || step > 0);
          index += step;
          ASSERT_LT(index % 256, columns(cx));
          ASSERT_LT(index / 256, rows(cy));
          if (is_known) continue;
          std::uint32_t& pixel = chunk.colours[index / 256 * columns(cx) + index % 256];
          const auto place = static_cast<std::uint32_t>(index);
          chunk.hash = sum(difference(chunk.hash, part_of(place, pixel)), part_of(place, colour));
          pixel = colour;
        }
      }
      if (is_known) continue;
      chunk.version = version;
      EXPECT_EQ(chunk.hash, hash) << "chunk " << cx << " " << cy << " version " << version;
    }
  }
};

}  // namespace fanfare::canvas
