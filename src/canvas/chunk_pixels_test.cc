#include "canvas/chunk_pixels.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace fanfare::canvas {
namespace {

constexpr Colour kBackground = 0xFFFFFF;

TEST(ChunkPixels, TakeMemoryForWhatIsDrawn) {
  ChunkPixels pixels(kChunkSide, 3, kBackground);
  EXPECT_EQ(pixels.bytes(), 0U);
  pixels.set(5, 1, 7);
  EXPECT_LE(pixels.bytes(), 16U);
  pixels.set(5, kBackground, 0);
  EXPECT_EQ(pixels.bytes(), 0U);
  for (std::size_t i = 0; i < kSparsePixelsMax; ++i) pixels.set(static_cast<std::uint16_t>(i * 3), 1, 7);
  EXPECT_EQ(pixels.drawn(), kSparsePixelsMax);
  EXPECT_LE(pixels.bytes(), kSparsePixelsMax * 2 * 12) << "at the limit";
  pixels.set(1, 2, 8);
  EXPECT_EQ(pixels.bytes(), kChunkPixels * 7) << "past it: all pixels";
  EXPECT_EQ(pixels.colour_at(1), 2U);
  EXPECT_EQ(pixels.colour_at(2), kBackground);

  std::uint16_t next = 0;
  for (std::size_t i = 0; i < kSparsePixelsMax / 2; ++i, next = static_cast<std::uint16_t>(next + 3)) {
    pixels.set(next, kBackground, 0);
  }
  EXPECT_EQ(pixels.drawn(), kSparsePixelsMax / 2 + 1);
  EXPECT_EQ(pixels.bytes(), kChunkPixels * 7) << "it does not change to and fro";
  pixels.set(next, kBackground, 0);
  EXPECT_EQ(pixels.bytes(), kSparsePixelsMax / 2 * 12);
  EXPECT_EQ(pixels.author_at(1), 8U);
  for (std::size_t i = 0; i < kChunkPixels; ++i) pixels.set(static_cast<std::uint16_t>(i), kBackground, 0);
  EXPECT_EQ(pixels.drawn(), 0U);
  EXPECT_EQ(pixels.bytes(), 0U) << "everything is given back";
}

TEST(ChunkPixels, APixelOfTheBackgroundsColourHasAnAuthor) {
  ChunkPixels pixels(1, 1, 0);
  pixels.set(255, 0, 9);
  EXPECT_EQ(pixels.drawn(), 1U);
  EXPECT_EQ(pixels.author_at(255), 9U);
  EXPECT_EQ(pixels.author_at(254), 0U);
}

// Both forms have the same pixels as plain arrays, whatever is drawn and taken back.
TEST(ChunkPixels, AreWhatAnArrayHas) {
  constexpr std::uint32_t kRows = 20;
  constexpr std::uint32_t kColumns = 100;
  for (const std::size_t bytes : {1U, 3U}) {
    SeededRandom random(bytes);
    ChunkPixels pixels(kRows, bytes, 3);
    std::vector<std::pair<Colour, UserNumber>> plain(std::size_t{kRows} * kChunkSide, {3, 0});
    bool was_dense = false;
    for (int round = 0; round < 6; ++round) {
      for (int i = 0; i < 4000; ++i) {
        const auto index =
            static_cast<std::uint16_t>(random.below(kRows) * kChunkSide + random.below(kColumns));
        const bool is_undo = round % 2 == 1 && random.below(10) > 0;
        plain[index] = is_undo ? std::pair(Colour{3}, UserNumber{0})
                               : std::pair(static_cast<Colour>(random.below(200)), UserNumber{5});
        pixels.set(index, plain[index].first, plain[index].second);
      }
      was_dense = was_dense || pixels.bytes() == plain.size() * (bytes + 4);
      std::vector<std::uint8_t> expected;
      std::size_t drawn = 0;
      for (std::size_t i = 0; i < plain.size(); ++i) {
        const auto index = static_cast<std::uint16_t>(i);
        ASSERT_EQ(pixels.colour_at(index), plain[i].first);
        ASSERT_EQ(pixels.author_at(index), plain[i].second);
        if (plain[i].first != 3 || plain[i].second != 0) ++drawn;
        if (i % kChunkSide >= kColumns) continue;
        if (bytes == 3) expected.insert(expected.end(), {0, 0});
        expected.push_back(static_cast<std::uint8_t>(plain[i].first));
      }
      EXPECT_EQ(pixels.drawn(), drawn);
      std::vector<std::uint8_t> colours;
      pixels.copy_colours(kColumns, colours);
      EXPECT_EQ(colours, expected);
    }
    EXPECT_TRUE(was_dense);
    EXPECT_LT(pixels.bytes(), plain.size() * (bytes + 4)) << "sparse at the end";
  }
}

}  // namespace
}  // namespace fanfare::canvas
