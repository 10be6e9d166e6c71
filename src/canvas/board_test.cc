#include "canvas/board.h"

#include <gtest/gtest.h>

#include "canvas/limits.h"

namespace fanfare::canvas {
namespace {

const RoomSpec kTrueColour{.width = 300, .height = 260, .background = 0xFFFFFF};
const RoomSpec kPalette{
    .width = 300, .height = 260, .background = 0xFFFFFF, .palette = {0x000000, 0xFF0000, 0xFFFFFF}};

TEST(RoomSpec, SaysWhyItCannotBeARoom) {
  EXPECT_FALSE(problem_with({}));
  EXPECT_FALSE(problem_with(kPalette));
  EXPECT_FALSE(problem_with({.width = kSideMax, .height = kSideMax}));
  EXPECT_TRUE(problem_with({.width = 0}));
  EXPECT_TRUE(problem_with({.height = kSideMax + 1}));
  EXPECT_TRUE(problem_with({.name = ""}));
  EXPECT_TRUE(problem_with({.name = "a/b"}));
  EXPECT_FALSE(problem_with({.name = std::string(kRoomNameBytesMax, 'a')}));
  EXPECT_TRUE(problem_with({.name = std::string(kRoomNameBytesMax + 1, 'a')}));
  EXPECT_TRUE(problem_with({.background = 0x1000000}));
  EXPECT_TRUE(problem_with({.palette = {0xFFFFFF}}));
  EXPECT_TRUE(problem_with({.palette = {0, 1}})) << "without the background";
  EXPECT_TRUE(problem_with({.palette = {0xFFFFFF, 1, 1}}));
  RoomSpec many;
  for (std::uint32_t i = 0; i < kPaletteMax; ++i) many.palette.push_back(0xFFFFFF - i);
  EXPECT_FALSE(problem_with(many));
  many.palette.push_back(5);
  EXPECT_TRUE(problem_with(many));
}

TEST(Board, HasTheBackgroundUntilSomebodyDraws) {
  Board board(kPalette, 4);
  EXPECT_EQ(board.colour_at(299, 259), 2U);
  EXPECT_EQ(board.author_at(299, 259), 0U);
  EXPECT_EQ(board.chunk_count(), 0U);
  EXPECT_EQ(board.find({.x = 1, .y = 1}), nullptr);
  EXPECT_TRUE(board.set({.x = 299, .y = 259, .colour = 1}, 7));
  EXPECT_EQ(board.colour_at(299, 259), 1U);
  EXPECT_EQ(board.author_at(299, 259), 7U);
  EXPECT_EQ(board.chunks(), (std::vector{ChunkId{.x = 1, .y = 1}}));
  EXPECT_EQ(board.find({.x = 2, .y = 0}), nullptr) << "not in the canvas";
}

TEST(Board, AtItsLimitOfChunksNoFurtherOneIsMade) {
  Board board(kTrueColour, 2);
  EXPECT_TRUE(board.set({.x = 0, .y = 0, .colour = 1}, 1));
  EXPECT_TRUE(board.set({.x = 256, .y = 0, .colour = 1}, 1));
  EXPECT_FALSE(board.has_room_for({.x = 0, .y = 1}));
  EXPECT_FALSE(board.set({.x = 0, .y = 256, .colour = 1}, 1));
  EXPECT_EQ(board.colour_at(0, 256), 0xFFFFFFU);
  EXPECT_TRUE(board.set({.x = 1, .y = 1, .colour = 1}, 1)) << "a chunk that exists";
  EXPECT_EQ(board.chunk_count(), 2U);
}

TEST(Board, AnEmptyCanvasOfTheLargestSizeNeedsNoPixels) {
  Board board({.width = kSideMax, .height = kSideMax}, 1);
  EXPECT_TRUE(board.set({.x = 65'535, .y = 65'535, .colour = 0x123456}, 1));
  EXPECT_EQ(board.colour_at(65'535, 65'535), 0x123456U);
  EXPECT_EQ(board.finish_tick().at(0).chunk, (ChunkId{.x = 255, .y = 255}));
}

TEST(Board, AChunkThatIsBlankAgainDoesNotCountAndKeepsItsVersion) {
  Board board(kTrueColour, 2);
  board.set({.x = 0, .y = 0, .colour = 1}, 1);
  board.set({.x = 256, .y = 0, .colour = 1}, 1);
  board.finish_tick();
  board.restore({.x = 0, .y = 0, .colour = 0xFFFFFF}, 0);
  EXPECT_EQ(board.chunk_count(), 1U);
  ASSERT_EQ(board.finish_tick().size(), 1U);
  EXPECT_EQ(board.find({})->version(), 2U);
  EXPECT_EQ(board.find({})->hash(), 0U);
  EXPECT_TRUE(board.set({.x = 0, .y = 256, .colour = 1}, 1));
  EXPECT_FALSE(board.set({.x = 0, .y = 0, .colour = 1}, 1)) << "it counts again";
  board.restore({.x = 0, .y = 0, .colour = 1}, 1);
  EXPECT_EQ(board.chunk_count(), 3U) << "what is restored is whole";
  EXPECT_EQ(board.finish_tick().at(0).version, 3U);
  EXPECT_TRUE(board.set({.x = 0, .y = 0, .colour = 2}, 1)) << "its chunk exists";
}

TEST(Board, OfSeveralChangesOfAPixelInATickTheLastOneCounts) {
  Board board(kPalette, 4);
  board.set({.x = 3, .y = 1, .colour = 1}, 7);
  board.set({.x = 2, .y = 1, .colour = 1}, 7);
  board.set({.x = 3, .y = 1, .colour = 0}, 8);
  const auto ticks = board.finish_tick();
  ASSERT_EQ(ticks.size(), 1U);
  EXPECT_EQ(ticks[0].version, 1U);
  EXPECT_EQ(ticks[0].pixels, (std::vector<TickPixel>{{.index = 258, .user = 7, .colour = 1},
                                                     {.index = 259, .user = 8, .colour = 0}}));
  EXPECT_EQ(ticks[0].hash, board.find({})->hash());
  EXPECT_TRUE(board.finish_tick().empty());
}

TEST(Board, BetweenTicksCopiesAreAsOfTheLastTick) {
  for (const RoomSpec& spec : {kTrueColour, kPalette}) {
    Board board(spec, 4);
    const ChunkId id{.x = 1, .y = 1};
    board.set({.x = 299, .y = 259, .colour = 1}, 7);
    board.finish_tick();
    const Chunk& chunk = *board.find(id);
    std::vector<std::uint8_t> before;
    chunk.copy_colours(before);
    ASSERT_EQ(before.size(), 44U * 4 * spec.bytes_per_colour()) << "the chunk at the corner is smaller";
    const std::uint64_t hash = chunk.hash();

    board.set({.x = 299, .y = 259, .colour = 0}, 8);
    board.set({.x = 299, .y = 259, .colour = 2}, 9);
    board.set({.x = 256, .y = 256, .colour = 0}, 9);
    std::vector<std::uint8_t> colours;
    chunk.copy_colours(colours);
    EXPECT_EQ(colours, before);
    EXPECT_EQ(chunk.hash(), hash);
    EXPECT_EQ(chunk.version(), 1U);
    EXPECT_EQ(chunk.before_open_tick(),
              (std::vector<TickPixel>{{.index = 0, .user = 0, .colour = spec.background_colour()},
                                      {.index = 3 * 256 + 43, .user = 7, .colour = 1}}));
    board.finish_tick();
    chunk.copy_colours(colours);
    EXPECT_NE(colours, before);
    EXPECT_NE(chunk.hash(), hash);
  }
}

TEST(Board, LoadsWhatWasCopied) {
  Board board(kTrueColour, 4);
  const ChunkId id{.x = 1, .y = 0};
  board.set({.x = 256, .y = 255, .colour = 0xABCDEF}, 7);
  board.set({.x = 299, .y = 0, .colour = 0xFFFFFF}, 8);
  board.finish_tick();
  std::vector<std::uint8_t> colours;
  std::vector<UserNumber> authors(std::size_t{44} * 256);
  board.find(id)->copy_colours(colours);
  authors[255 * 44] = 7;
  authors[43] = 8;

  Board again(kTrueColour, 1);
  ASSERT_TRUE(again.load(id, 41, colours, authors));
  EXPECT_EQ(again.colour_at(256, 255), 0xABCDEFU);
  EXPECT_EQ(again.author_at(299, 0), 8U);
  EXPECT_EQ(again.find(id)->hash(), board.find(id)->hash());
  EXPECT_EQ(again.find(id)->version(), 41U);
  EXPECT_FALSE(again.load(id, 42, colours, authors)) << "it exists";
  EXPECT_FALSE(again.load({.x = 0, .y = 0}, 1, colours, authors)) << "another size";

  const std::vector<std::uint8_t> other_colours(std::size_t{256} * 256 * 3, 1);
  EXPECT_TRUE(again.load({.x = 0, .y = 0}, 1, other_colours, {})) << "chunks_max may have become less";
  EXPECT_EQ(again.chunk_count(), 2U);
  EXPECT_FALSE(again.has_room_for({.x = 0, .y = 1}));

  Board other(kTrueColour, 2);
  EXPECT_FALSE(other.load(id, 1, Bytes(colours).first(colours.size() - 1), authors));
  EXPECT_FALSE(other.load(id, 1, colours, std::span(authors).first(5)));
  EXPECT_FALSE(other.load({.x = 2, .y = 0}, 1, colours, authors));
  EXPECT_TRUE(other.load(id, 1, colours, {}));
  EXPECT_EQ(other.author_at(256, 255), kUserNumberMax);
  EXPECT_EQ(other.author_at(257, 255), 0U);
  Board palette(kPalette, 2);
  EXPECT_FALSE(palette.load(id, 1, std::vector<std::uint8_t>(44 * 256, 3), {})) << "no such colour";
  EXPECT_TRUE(palette.load(id, 1, std::vector<std::uint8_t>(44 * 256, 2), {}));
  EXPECT_EQ(palette.find(id)->hash(), 0U);
  EXPECT_EQ(palette.chunk_count(), 0U) << "blank, so it does not count";
}

}  // namespace
}  // namespace fanfare::canvas
