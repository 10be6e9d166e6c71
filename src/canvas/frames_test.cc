#include "canvas/frames.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "canvas/board.h"
#include "canvas/client_for_tests.h"

namespace fanfare::canvas {
namespace {

ByteVector bytes_of(std::string_view text) {
  return {as_bytes(text).begin(), as_bytes(text).end()};
}

TEST(Frames, Welcome) {
  const RoomSpec spec{.width = 1000, .height = 300, .background = 0xFF0000, .palette = {0xFF0000, 0x010203}};
  Limits limits;
  limits.pixels_per_user = {.per_second = 200, .burst = 0};
  limits.cooldown = std::chrono::seconds(5);
  ByteVector out;
  append_welcome(out, spec, limits,
                 {.epoch = 0x0807060504030201,
                  .now_ms = 0x18,
                  .user_id = "u17",
                  .user = 17,
                  .rights = {.draw = true, .moderate = true}});
  const ByteVector expected{0x81, 1, 1, 2,    3,    4,    5,    6,  7,    8,    0x18, 0,    0,    0,    0,
                            0,    0, 0, 0xE8, 0x07, 0xAC, 0x02, 16, 0xFF, 0,    0,    2,    0xFF, 0,    0,
                            1,    2, 3, 3,    'u',  '1',  '7',  17, 0xC8, 0x01, 0xC8, 0x01, 0x88, 0x27, 3};
  EXPECT_EQ(out, expected);
}

TEST(Frames, ChunkCurrentAckErrorCursorsPresence) {
  ByteVector out;
  append_chunk(out, {.x = 1, .y = 2}, 300, 0x0807060504030201, bytes_of("xyz"));
  EXPECT_EQ(out, (ByteVector{0x82, 1, 2, 0xAC, 0x02, 1, 2, 3, 4, 5, 6, 7, 8, 'x', 'y', 'z'}));

  out.clear();
  append_current(out, std::vector<CurrentChunk>{{.id = {.x = 3, .y = 4}, .version = 1, .hash = 5}});
  EXPECT_EQ(out, (ByteVector{0x83, 1, 3, 4, 1, 5, 0, 0, 0, 0, 0, 0, 0}));

  out.clear();
  append_ack(out, 300, 2, std::nullopt);
  append_ack(
      out, 1, 0,
      ProtocolError{.code = ErrorCode::too_many_pixels, .retry_after = std::chrono::milliseconds(200)});
  EXPECT_EQ(out, (ByteVector{0x85, 0xAC, 0x02, 2, 0, 0, 0x85, 1, 0, 3, 0xC8, 0x01}));

  out.clear();
  append_error(out, {.code = ErrorCode::storage_full, .message = "no"});
  EXPECT_EQ(out, (ByteVector{0x88, 5, 2, 'n', 'o'}));

  out.clear();
  append_cursors(out, std::vector<CursorMove>{CursorMove::left(5), {.user = 300, .x = 1, .y = 0x203}});
  EXPECT_EQ(out, (ByteVector{0x86, 1, 0xAC, 0x02, 1, 0, 3, 2, 1, 5}));
  out.clear();
  append_cursors(out, std::vector<CursorMove>{{.user = 5, .x = 65'535, .y = 65'535}});
  EXPECT_EQ(out, (ByteVector{0x86, 1, 5, 0xFF, 0xFF, 0xFF, 0xFF, 0})) << "a place like any other";

  out.clear();
  append_presence(out, {.total = 9, .joined = {{.user = 7, .name = "Ä", .colour = 0x010203}}, .left = {300}});
  EXPECT_EQ(out, (ByteVector{0x87, 9, 1, 7, 2, 'u', '7', 2, 0xC3, 0x84, 1, 2, 3, 1, 0xAC, 0x02}));
}

TEST(Frames, SectionsHaveAGroupForEachColour) {
  const std::vector<TickPixel> pixels{{.index = 5, .user = 1, .colour = 2},
                                      {.index = 6, .user = 1, .colour = 1},
                                      {.index = 300, .user = 2, .colour = 2}};
  ByteVector out;
  append_section(out, {.x = 1, .y = 2}, 7, 0x42, pixels, 1);
  EXPECT_EQ(out, (ByteVector{1, 2, 7, 0x42, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 6, 2, 2, 5, 0xA7, 0x02}));

  const SharedBytes sections[] = {SharedBytes(out), SharedBytes(Bytes(out).first(3))};
  ByteVector tick{0x84, 0xAC, 0x02};
  tick.insert(tick.end(), out.begin(), out.end());
  tick.insert(tick.end(), out.begin(), out.begin() + 3);
  EXPECT_EQ(payload_of(tick_frame(300, sections)), tick);

  out.clear();
  append_section(out, {}, 7, 0, std::span(pixels).first(1), 3);
  EXPECT_EQ(out, (ByteVector{0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 1, 5}));
}

TEST(Frames, EveryCodeHasANameAndAStatus) {
  for (std::size_t i = 0; i < kErrorCodeCount; ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_FALSE(name_of(code).empty());
    EXPECT_GE(status_of(code), 1);
    EXPECT_LE(status_of(code), 8);
  }
  EXPECT_EQ(status_of(ErrorCode::out_of_range), 2);
  EXPECT_EQ(status_of(ErrorCode::not_permitted), 4);
  EXPECT_EQ(status_of(ErrorCode::message_too_big), 8);
}

// People with brushes of some pixels, who draw strokes within an area of `side` pixels, for 60 ticks.
struct Strokes {
  int drawers;
  int pixels_each;
  std::uint16_t corner;
  std::uint16_t side;
};

double bytes_per_pixel(const RoomSpec& spec, const Strokes& strokes, std::uint64_t seed) {
  SeededRandom random(seed);
  Board board(spec, 1024);
  struct Brush {
    std::uint64_t x, y;
    Colour colour;
  };
  std::vector<Brush> brushes;
  for (int i = 0; i < strokes.drawers; ++i) {
    brushes.push_back({.x = random.below(strokes.side),
                       .y = random.below(strokes.side),
                       .colour = static_cast<Colour>(random.below(spec.colour_end()))});
  }
  std::size_t bytes = 0;
  std::size_t pixels = 0;
  for (std::uint64_t tick = 1; tick <= 60; ++tick) {
    for (Brush& brush : brushes) {
      for (int i = 0; i < strokes.pixels_each; ++i) {
        board.set({.x = static_cast<std::uint16_t>(
                       strokes.corner + (brush.x + static_cast<std::uint64_t>(i) % 4) % strokes.side),
                   .y = static_cast<std::uint16_t>(
                       strokes.corner + (brush.y + static_cast<std::uint64_t>(i) / 4) % strokes.side),
                   .colour = brush.colour},
                  1);
      }
      brush.x += random.below(4);
      brush.y += random.below(3);
    }
    std::vector<SharedBytes> sections;
    for (const ChunkTick& chunk : board.finish_tick()) {
      sections.push_back(chunk.section);
      pixels += chunk.pixels.size();
    }
    bytes += payload_of(tick_frame(tick, sections)).size();
  }
  return static_cast<double>(bytes) / static_cast<double>(pixels);
}

// 8,000 pixels a second in ticks of 16 ms are 128 pixels in each.
TEST(Frames, ClusteredWritesTakeAtMostTwoBytesAPixel) {
  RoomSpec palette{.width = 2000, .height = 2000, .background = 0};
  for (std::uint32_t i = 0; i < 32; ++i) palette.palette.push_back(i * 0x010101);
  const RoomSpec true_colour{.width = 2000, .height = 2000};
  const Strokes small{.drawers = 16, .pixels_each = 8, .corner = 512, .side = 200};
  const Strokes large{.drawers = 8, .pixels_each = 16, .corner = 512, .side = 200};
  const Strokes spread{.drawers = 8, .pixels_each = 16, .corner = 400, .side = 300};
  const double figures[] = {bytes_per_pixel(palette, small, 1), bytes_per_pixel(palette, large, 2),
                            bytes_per_pixel(palette, spread, 3), bytes_per_pixel(true_colour, large, 4)};
  std::printf(
      "bytes a pixel, 128 pixels a tick: 16 brushes of 8 pixels %.2f, 8 of 16 %.2f, in 4 chunks %.2f, "
      "with 24 bits %.2f\n",
      figures[0], figures[1], figures[2], figures[3]);
  for (const double figure : figures) EXPECT_LE(figure, 2.0);
}

TEST(Frames, TheClientReadsBackWhatWasDrawn) {
  const RoomSpec spec{.width = 300, .height = 300};
  Board board(spec, 4);
  TestClient client;
  ByteVector welcome;
  append_welcome(welcome, spec, {}, {.epoch = 5, .user_id = "u1", .user = 1});
  client.receive(welcome);
  ByteVector blank;
  append_chunk(blank, {.x = 1, .y = 1}, 0, 0, {});
  client.receive(blank);
  SeededRandom random(3);
  for (std::uint64_t tick = 1; tick < 50; ++tick) {
    for (int i = 0; i < 100; ++i) {
      board.set({.x = static_cast<std::uint16_t>(256 + random.below(44)),
                 .y = static_cast<std::uint16_t>(256 + random.below(44)),
                 .colour = static_cast<Colour>(random.below(1U << 24U))},
                1);
    }
    const auto ticks = board.finish_tick();
    client.receive(tick_frame(tick, std::vector{ticks.at(0).section}));
  }
  for (std::uint16_t y = 256; y < 300; ++y) {
    for (std::uint16_t x = 256; x < 300; ++x) ASSERT_EQ(client.at(x, y), board.colour_at(x, y));
  }
}

}  // namespace
}  // namespace fanfare::canvas
