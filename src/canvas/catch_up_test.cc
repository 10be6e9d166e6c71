#include "canvas/catch_up.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "canvas/client_for_tests.h"
#include "canvas/frames.h"

namespace fanfare::canvas {
namespace {

const ChunkId kFirst{.x = 0, .y = 0};
const ChunkId kSecond{.x = 1, .y = 0};

SharedBytes section_of(std::size_t size) {
  return SharedBytes(std::vector<std::uint8_t>(size));
}

TEST(History, CoversAsManyTicksAsItMayKeep) {
  History history(3, 1000);
  EXPECT_FALSE(history.covers(0)) << "there may be versions that it has not seen";
  for (Version version = 8; version <= 12; ++version) history.add(version, section_of(version));
  EXPECT_EQ(history.last(), 12U);
  EXPECT_FALSE(history.covers(8));
  EXPECT_TRUE(history.covers(9));
  EXPECT_TRUE(history.covers(12));
  EXPECT_FALSE(history.covers(13)) << "no such version yet";
  EXPECT_EQ(history.bytes_after(9), 33U);
  EXPECT_EQ(history.bytes_after(12), 0U);
  std::vector<SharedBytes> sections;
  history.append_after(10, sections);
  ASSERT_EQ(sections.size(), 2U);
  EXPECT_EQ(sections[0].size(), 11U);
}

TEST(History, KeepsAtMostSoManyBytes) {
  History history(100, 50);
  history.add(1, section_of(25));
  history.add(2, section_of(25));
  EXPECT_TRUE(history.covers(0)) << "at the limit";
  history.add(3, section_of(1));
  EXPECT_FALSE(history.covers(0));
  EXPECT_TRUE(history.covers(1));
  EXPECT_EQ(history.bytes(), 26U);
  history.add(4, section_of(51));
  EXPECT_FALSE(history.covers(3)) << "larger than the limit";
  EXPECT_TRUE(history.covers(4));
  EXPECT_EQ(history.bytes(), 0U);
}

class CatchUpTest : public testing::Test {
 protected:
  CatchUpTest() {
    ByteVector welcome;
    append_welcome(welcome, board_.spec(), limits_, {.epoch = 1});
    client_.receive(welcome);
  }

  void draw(std::uint16_t x, std::uint16_t y, Colour colour) {
    board_.set({.x = x, .y = y, .colour = colour}, 1);
  }
  void finish_tick() {
    Tick tick{.number = ++number_, .chunks = board_.finish_tick(), .events = {}};
    catch_up_.add(tick);
  }
  // A chunk that does not compress well, so that its ticks are the shorter way.
  void draw_noise(std::size_t pixels) {
    for (std::size_t i = 0; i < pixels; ++i) {
      draw(static_cast<std::uint16_t>(random_.below(256)), static_cast<std::uint16_t>(random_.below(256)),
           static_cast<Colour>(random_.below(1U << 24U)));
    }
  }
  void bring_up_to_date(std::span<const ChunkId> wanted) {
    std::vector<KnownChunk> known;
    for (const auto& [id, held] : client_.held) {
      known.push_back(
          {.id = {.x = static_cast<std::uint8_t>(id.first), .y = static_cast<std::uint8_t>(id.second)},
           .version = held.version});
    }
    for (const SharedBytes& frame : catch_up_.frames_for(wanted, known)) client_.receive(frame);
  }
  void expect_equal() {
    for (std::uint16_t y = 0; y < 256; ++y) {
      for (std::uint16_t x = 0; x < 512; ++x)
        ASSERT_EQ(client_.at(x, y), board_.colour_at(x, y)) << x << " " << y;
    }
  }

  Limits limits_{.history_ticks_per_chunk_max = 8};
  Board board_{{.width = 512, .height = 256}, 4};
  CatchUp catch_up_{board_, limits_};
  SeededRandom random_{1};
  TestClient client_;
  std::uint64_t number_ = 0;
  const std::vector<ChunkId> both_{kFirst, kSecond};
};

TEST_F(CatchUpTest, AnUndrawnChunkHasVersionZeroAndNoBytes) {
  const auto frames = catch_up_.frames_for(std::vector{kSecond}, {});
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(payload_of(frames[0]), (ByteVector{0x82, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  bring_up_to_date(both_);
  EXPECT_EQ(client_.chunks_received, 2U);
  bring_up_to_date(both_);
  EXPECT_EQ(client_.current_received, 2U) << "it knew version 0";
  // Pixels of the open tick belong to the next one.
  draw(5, 5, 7);
  bring_up_to_date(both_);
  EXPECT_EQ(client_.current_received, 4U);
  finish_tick();
  bring_up_to_date(both_);
  EXPECT_EQ(client_.sections_received, 1U);
  expect_equal();
}

TEST_F(CatchUpTest, AClientWithAVersionGetsWhatFollowedInsteadOfTheChunk) {
  draw_noise(5000);
  finish_tick();
  bring_up_to_date(both_);
  EXPECT_EQ(client_.chunks_received, 2U);
  for (Colour colour = 0; colour < 8; ++colour) {
    draw(9, 9, colour);
    finish_tick();
  }
  bring_up_to_date(both_);
  EXPECT_EQ(client_.chunks_received, 2U);
  EXPECT_EQ(client_.sections_received, 8U) << "as many as are kept";
  expect_equal();
  for (Colour colour = 0; colour < 9; ++colour) {
    draw(9, 9, colour);
    finish_tick();
  }
  bring_up_to_date(both_);
  EXPECT_EQ(client_.chunks_received, 3U) << "one more than are kept";
  expect_equal();
}

TEST_F(CatchUpTest, TicksThatAreLongerThanTheChunkAreNotSent) {
  draw(1, 1, 1);
  finish_tick();
  bring_up_to_date(both_);
  for (int i = 0; i < 5; ++i) {
    for (std::uint16_t y = 0; y < 20; ++y) {
      for (std::uint16_t x = 0; x < 20; ++x) draw(x, y, 0x5);
    }
    finish_tick();
  }
  bring_up_to_date(both_);
  EXPECT_EQ(client_.chunks_received, 3U);
  expect_equal();
}

TEST_F(CatchUpTest, AVersionThatDoesNotExistYetIsReplacedByTheChunk) {
  draw(1, 1, 1);
  finish_tick();
  const std::vector<KnownChunk> known{{.id = kFirst, .version = 99}, {.id = kSecond, .version = 99}};
  for (const SharedBytes& frame : catch_up_.frames_for(both_, known)) client_.receive(frame);
  EXPECT_EQ(client_.chunks_received, 2U);
  expect_equal();
}

TEST_F(CatchUpTest, AChunkIsCompressedOnceForAllWhoAsk) {
  draw_noise(5000);
  finish_tick();
  const auto first = catch_up_.frames_for(both_, {});
  const auto second = catch_up_.frames_for(both_, {});
  EXPECT_EQ(catch_up_.compressed_count(), 1U);
  EXPECT_EQ(first.at(0).view().data(), second.at(0).view().data()) << "the same bytes";
}

TEST_F(CatchUpTest, JoinsWhileSomebodyDrawsShareAnOlderSnapshotAndTheTicksAfterIt) {
  draw_noise(5000);
  finish_tick();
  for (int i = 0; i < 8; ++i) {
    TestClient late;
    ByteVector welcome;
    append_welcome(welcome, board_.spec(), limits_, {.epoch = 1});
    late.receive(welcome);
    for (const SharedBytes& frame : catch_up_.frames_for(both_, {})) late.receive(frame);
    EXPECT_EQ(late.held.at({0, 0}).version, board_.find(kFirst)->version());
    EXPECT_EQ(late.at(9, 9), board_.colour_at(9, 9));
    draw(9, 9, static_cast<Colour>(i));
    finish_tick();
  }
  EXPECT_EQ(catch_up_.compressed_count(), 1U);
  // Until the ticks are a quarter of it.
  const std::size_t snapshot = catch_up_.frames_for(both_, {}).at(0).size();
  draw_noise(snapshot / CatchUp::kStaleShare / 4);
  finish_tick();
  bring_up_to_date(both_);
  EXPECT_EQ(catch_up_.compressed_count(), 2U);
  expect_equal();
}

TEST_F(CatchUpTest, TheBytesOfSnapshotsAreLimited) {
  draw_noise(3000);
  draw(256, 0, 1);
  finish_tick();
  const auto chunks = catch_up_.frames_for(both_, {});
  const std::size_t all = chunks.at(0).size() + chunks.at(1).size();
  limits_.snapshot_bytes_max = all;
  EXPECT_EQ(catch_up_.frames_for(both_, {}).size(), 2U);
  EXPECT_EQ(catch_up_.compressed_count(), 2U) << "at the limit both are kept";
  // Over it the older one is dropped: the first chunk leaves no room for the second one, and that none for the first.
  draw_noise(3000);
  finish_tick();
  for (const std::uint64_t count : {4U, 6U}) {
    EXPECT_EQ(catch_up_.frames_for(both_, {}).size(), 2U);
    EXPECT_EQ(catch_up_.compressed_count(), count);
  }
  // The newest one stays, whatever its size.
  limits_.snapshot_bytes_max = 0;
  catch_up_.frames_for(std::vector{kFirst}, {});
  EXPECT_EQ(catch_up_.compressed_count(), 7U);
  catch_up_.frames_for(std::vector{kFirst}, {});
  EXPECT_EQ(catch_up_.compressed_count(), 7U);
  bring_up_to_date(both_);
  expect_equal();
}

TEST_F(CatchUpTest, AfterARestartOnlyThePresentVersionIsKnown) {
  ASSERT_TRUE(board_.load(kFirst, 57, std::vector<std::uint8_t>(kChunkPixels * 3, 8), {}));
  for (const Version version : {Version{0}, Version{50}, Version{58}}) {
    const auto frames = catch_up_.frames_for(std::vector{kFirst},
                                             std::vector<KnownChunk>{{.id = kFirst, .version = version}});
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(payload_of(frames[0])[0], kChunkOp) << version;
  }
  const auto current =
      catch_up_.frames_for(std::vector{kFirst}, std::vector<KnownChunk>{{.id = kFirst, .version = 57}});
  ASSERT_EQ(current.size(), 1U);
  EXPECT_EQ(payload_of(current[0])[0], kCurrentOp);
  draw(0, 0, 1);
  finish_tick();
  const auto tick =
      catch_up_.frames_for(std::vector{kFirst}, std::vector<KnownChunk>{{.id = kFirst, .version = 57}});
  ASSERT_EQ(tick.size(), 1U);
  EXPECT_EQ(payload_of(tick[0])[0], kTickOp);
}

TEST_F(CatchUpTest, ChunksOutsideOfTheCanvasAreLeftOut) {
  EXPECT_TRUE(catch_up_.frames_for(std::vector{ChunkId{.x = 2, .y = 0}}, {}).empty());
}

}  // namespace
}  // namespace fanfare::canvas
