#include "canvasstore/row_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "canvasstore/room_schema.h"

namespace fanfare::canvasstore {
namespace {

using canvas::TickPixel;
using testing::ElementsAre;

std::vector<std::uint8_t> wire(std::initializer_list<int> bytes) {
  std::vector<std::uint8_t> out;
  for (const int byte : bytes) out.push_back(static_cast<std::uint8_t>(byte));
  return out;
}

std::vector<TickPixel> decoded(Bytes data, bool has_palette) {
  std::vector<TickPixel> pixels;
  EXPECT_TRUE(decode_pixels(data, has_palette, [&](const TickPixel& pixel) { pixels.push_back(pixel); }));
  return pixels;
}

TEST(RowFormat, PixelsAreIndexColourUser) {
  const std::vector<TickPixel> pixels{{.index = 0x1234, .user = 300, .colour = 0xa1b2c3}};
  EXPECT_EQ(encode_pixels(pixels, false), wire({0x34, 0x12, 0xa1, 0xb2, 0xc3, 0xac, 0x02}));
  EXPECT_EQ(decoded(encode_pixels(pixels, false), false), pixels);
  const std::vector<TickPixel> indexed{{.index = 1, .user = ~0U, .colour = 255},
                                       {.index = 2, .user = 0, .colour = 0}};
  EXPECT_EQ(encode_pixels(indexed, true), wire({1, 0, 255, 255, 255, 255, 255, 15, 2, 0, 0, 0}));
  EXPECT_EQ(decoded(encode_pixels(indexed, true), true), indexed);
}

TEST(RowFormat, BytesThatAreNoPixelsAreFoundOut) {
  const auto visit = [](const TickPixel&) {};
  EXPECT_FALSE(decode_pixels(wire({1, 0, 255}), true, visit));
  EXPECT_FALSE(decode_pixels(wire({1, 0, 255, 0x80}), true, visit)) << "the varint does not end";
  EXPECT_FALSE(decode_pixels(wire({1, 0, 255, 0x80, 0x80, 0x80, 0x80, 0x80, 0}), true, visit));
  EXPECT_TRUE(decode_pixels({}, true, visit));
}

TEST(RowFormat, WhatWasTakenBackIsSmallAndOtherBytesAreFoundOut) {
  const std::vector<canvas::TakenBack> all{{.x = 257, .y = 1, .user = 0, .from = 300},
                                           {.x = 256, .y = 0, .user = 128, .from = 1, .is_drawn = true}};
  const auto data = encode_taken_back(all);
  EXPECT_EQ(data, wire({1, 1, 0, 0, 0xac, 2, 0, 0, 1, 0x80, 1, 1}));
  std::vector<canvas::TakenBack> found;
  const auto visit = [&](const canvas::TakenBack& one) { found.push_back(one); };
  EXPECT_TRUE(decode_taken_back(data, {.x = 1, .y = 0}, visit));
  EXPECT_EQ(found, all);
  for (const std::size_t size : {1, 2, 3, 4, 5, 7, 8, 9, 10, 11}) {
    EXPECT_FALSE(decode_taken_back(Bytes(data).first(size), {.x = 1, .y = 0}, visit)) << size;
  }
  EXPECT_FALSE(decode_taken_back(wire({1, 1, 2, 0, 1}), {.x = 1, .y = 0}, visit)) << "neither drawn nor not";
}

TEST(RowFormat, SnapshotsComeBackAsTheyWere) {
  std::vector<std::uint32_t> values(canvas::kChunkPixels);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<std::uint32_t>(i * 7919) & 0xffffffU;
  EXPECT_EQ(unpack_colours(pack_colours(values, false), false), values);
  EXPECT_EQ(unpack_users(pack_users(values)), values);
  for (std::uint32_t& value : values) value &= 0xffU;
  EXPECT_EQ(unpack_colours(pack_colours(values, true), true), values);
  EXPECT_EQ(unpack_colours(pack_colours(values, true), false), std::nullopt) << "too short";
  EXPECT_EQ(unpack_users(wire({1, 2, 3})), std::nullopt);
}

TEST(RowFormat, SpecificationsAreTexts) {
  const canvas::RoomSpec plain{.width = 2000, .height = 30, .background = 0x0a0b0c};
  EXPECT_EQ(spec_text(plain), "2000x30 #0a0b0c");
  EXPECT_EQ(parse_spec("2000x30 #0a0b0c"), plain);
  const canvas::RoomSpec palette{.background = 0, .palette = {0, 0xffffff}};
  EXPECT_EQ(spec_text(palette), "1000x1000 #000000 palette #000000 #ffffff");
  EXPECT_EQ(parse_spec(spec_text(palette)), palette);
  for (const char* const wrong : {"", "2000", "2000x30", "2000x30 #zz", "0x0 #000000", "2000x30 #0a0b0c x"}) {
    EXPECT_EQ(parse_spec(wrong), std::nullopt) << wrong;
  }
  EXPECT_THAT(lines_of("a\nbc\n"), ElementsAre("a", "bc"));
}

}  // namespace
}  // namespace fanfare::canvasstore
