#pragma once
// The clients of simulation_test.cc, with what a server keeps for each.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "canvas/chunk.h"
#include "canvas/client_for_tests.h"
#include "canvas/place.h"
#include "canvas/state_reader.h"
#include "canvas/tick.h"
#include "jsonrpc/value.h"

namespace fanfare::canvas {

// Rooms of both kinds, with chunks of less than 256 columns and rows.
inline RoomSpec spec_of(std::uint64_t seed) {
  RoomSpec spec{.width = 300, .height = 260};
  if (seed % 2 == 0) spec.palette = {0x000000, 0xFF0000, 0xFFFFFF, 0x00FF00};
  return spec;
}

// As Chunk::load() wants them.
inline std::vector<UserNumber> authors_of(const Chunk& chunk, const RoomSpec& spec) {
  std::vector<UserNumber> authors;
  for (std::uint32_t y = 0; y < rows_of(spec, chunk.id()); ++y) {
    for (std::uint32_t x = 0; x < columns_of(spec, chunk.id()); ++x) {
      authors.push_back(chunk.author_at(static_cast<std::uint16_t>(y * kChunkSide + x)));
    }
  }
  return authors;
}

// PIXELS.
inline std::vector<std::uint8_t> pixels_message(const std::vector<Pixel>& pixels, bool has_palette) {
  std::vector<std::uint8_t> message{1, 9};
  TestClient::append_varint(message, pixels.size());
  for (const Pixel& pixel : pixels) {
    for (const std::uint16_t value : {pixel.x, pixel.y}) {
      message.push_back(static_cast<std::uint8_t>(value));
      message.push_back(static_cast<std::uint8_t>(value >> 8U));
    }
    if (!has_palette) {
      message.push_back(static_cast<std::uint8_t>(pixel.colour >> 16U));
      message.push_back(static_cast<std::uint8_t>(pixel.colour >> 8U));
    }
    message.push_back(static_cast<std::uint8_t>(pixel.colour));
  }
  return message;
}

// A binary client, its connection, and what the server keeps for it.
struct Peer {
  TestClient client;
  bool is_connected = false;
  std::deque<std::vector<std::uint8_t>> to_client;
  std::deque<std::vector<std::uint8_t>> to_server;
  // The server's side:
  UserNumber user = 0;
  std::optional<ChunkArea> watched;
  bool is_slow = false;  // gets no ticks
  // Chunks that it does not get ticks of until it is brought up to date, with the version that it has.
  std::map<std::uint16_t, std::optional<Version>> lacks;
};

struct JsonPeer {
  bool is_connected = false;
  std::deque<std::string> to_client;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> pixels;
  std::optional<StateReader> reader;  // the server's

  void read(std::string_view message) {
    if (*jsonrpc::string_value(*jsonrpc::member(message, "type")) == "pixel_changed") return set(message);
    for (const std::string_view pixel : jsonrpc::array_elements(*jsonrpc::member(message, "pixels")))
      set(pixel);
  }

 private:
  void set(std::string_view pixel) {
    pixels[{*jsonrpc::uint_value(*jsonrpc::member(pixel, "x")),
            *jsonrpc::uint_value(*jsonrpc::member(pixel, "y"))}] =
        *jsonrpc::string_value(*jsonrpc::member(pixel, "color"));
  }
};

// The pixels as a log keeps them: what all ticks together say.
struct Replayed {
  std::map<std::uint32_t, TickPixel> pixels;  // by place

  void add(const Tick& tick) {
    for (const ChunkTick& chunk : tick.chunks) {
      for (const TickPixel& pixel : chunk.pixels) {
        pixels[(std::uint32_t{y_of(chunk.chunk, pixel.index)} << 16U) | x_of(chunk.chunk, pixel.index)] =
            pixel;
      }
    }
  }
};

}  // namespace fanfare::canvas
