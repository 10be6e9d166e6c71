// The parts of the canvas server that need no connection: pictures, lists of lacking chunks, the inbox of a room.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <future>

#include "canvasserver/lacking_chunks.h"
#include "canvasserver/picture.h"
#include "canvasserver/rooms.h"
#include "canvasserver/tick_out.h"

namespace fanfare::canvasserver {
namespace {

using canvas::ChunkId;
using canvas::KnownChunk;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr ChunkId kFirst{.x = 3, .y = 0};
constexpr ChunkId kSecond{.x = 0, .y = 1};

TEST(LackingChunks, KeepsTheVersionThatTheClientHas) {
  LackingChunks lacking;
  lacking.add_unknown(kSecond);
  lacking.add(kFirst, 7);
  lacking.add(kFirst, 9);  // a later tick was skipped, too
  EXPECT_THAT(lacking.first(1).ids, ElementsAre(kFirst));
  EXPECT_THAT(lacking.first(9).ids, ElementsAre(kFirst, kSecond));
  EXPECT_THAT(lacking.first(9).known, ElementsAre(KnownChunk{.id = kFirst, .version = 7}));
  lacking.add_unknown(kFirst);  // FETCH
  EXPECT_THAT(lacking.first(9).known, IsEmpty());
  lacking.set_known(kSecond, 2);
  EXPECT_THAT(lacking.first(9).known, SizeIs(1));
  lacking.remove_if([](ChunkId id) { return id == kSecond; });
  lacking.remove(kFirst);
  lacking.remove(kFirst);
  EXPECT_TRUE(lacking.empty());
}

std::string bytes_of_frames(const SharedBytes& frames) {
  return std::string(as_text(frames.view()));
}

TEST(PresenceOut, TellsNobodyOfHimself) {
  const PresenceOut out(
      {.total = 9, .joined = {{.user = 2, .name = "two"}, {.user = 4, .name = "four"}}, .left = {3, 5}});
  const std::string all = bytes_of_frames(out.messages_for(1));
  EXPECT_THAT(all, AllOf(HasSubstr("two"), HasSubstr("four"), HasSubstr("\"u3\""), HasSubstr("\"u5\"")));
  EXPECT_EQ(out.messages_for(1).view().data(), out.messages_for(9).view().data()) << "shared by the others";
  EXPECT_THAT(bytes_of_frames(out.messages_for(2)), AllOf(Not(HasSubstr("two")), HasSubstr("four")));
  EXPECT_THAT(bytes_of_frames(out.messages_for(5)), AllOf(Not(HasSubstr("\"u5\"")), HasSubstr("\"u3\"")));
  // | head 2 | 87 | total | joined | users | left | users |
  EXPECT_EQ(bytes_of_frames(out.frame_for(5)).substr(2, 3), "\x87\x09\x02");
  EXPECT_TRUE(bytes_of_frames(out.frame_for(5)).ends_with(std::string("\x01\x03")));
  EXPECT_EQ(bytes_of_frames(out.frame_for(4)).substr(2, 3), "\x87\x09\x01");
  EXPECT_FALSE(bytes_of_frames(out.frame_for(4)).contains("four"));
  const PresenceOut alone({.total = 1, .joined = {{.user = 7}}, .left = {}});
  EXPECT_TRUE(alone.messages_for(7).empty());
  EXPECT_FALSE(alone.messages_for(8).empty());
  EXPECT_EQ(bytes_of_frames(alone.frame_for(7)), std::string("\x82\x04\x87\x01\x00\x00", 6)) << "the total";
}

// The rows of an IDAT.
std::string inflated(std::string_view data, std::size_t size) {
  std::string raw(size, '\0');
  uLongf got = size;
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(raw.data()), &got,
                       reinterpret_cast<const Bytef*>(data.data()), data.size()),
            Z_OK);
  EXPECT_EQ(got, size);
  return raw;
}

TEST(Picture, IsAPngOfTheArea) {
  const canvas::RoomSpec spec{.width = 300, .height = 2, .background = 0x010203};
  StoredChunk chunk{.chunk = {.x = 1, .y = 0}};
  chunk.pixels.colours.assign(canvas::kChunkPixels, 0x010203);
  chunk.pixels.colours[0] = 0xaabbcc;  // 256, 0
  const canvas::Area area{.x = 255, .y = 0, .width = 3, .height = 2};
  Picture picture = blank_picture(spec, area);
  draw(picture, spec, chunk);
  EXPECT_EQ(inflated(png_data(spec, picture, 3), 20),
            std::string("\0\x01\x02\x03\xaa\xbb\xcc\x01\x02\x03\0\x01\x02\x03\x01\x02\x03\x01\x02\x03", 20));
  const std::string png = png_of(spec, picture);
  // Signature, and IHDR with its CRC: 3 x 2, 8 bits, colours.
  EXPECT_EQ(png.substr(0, 29),
            std::string("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x02\0\0\0", 29));
  EXPECT_EQ(png.substr(png.size() - 12), std::string("\0\0\0\0IEND\xae\x42\x60\x82", 12));
}

TEST(Picture, HasTheRoomsPalette) {
  const canvas::RoomSpec spec{.width = 2, .height = 1, .background = 0, .palette = {0xff0000, 0}};
  Picture picture = blank_picture(spec, canvas::Area::whole(spec));
  draw(picture, spec, 1, 0, 0);
  EXPECT_EQ(inflated(png_data(spec, picture, 3), 3), std::string("\0\x01\0", 3));
  EXPECT_THAT(png_of(spec, picture), HasSubstr(std::string("\0\0\0\x06PLTE\xff\0\0\0\0\0", 14)));
}

TEST(Picture, OfABoardIsAsOfTheLastTick) {
  canvas::Board board({.width = 300, .height = 300}, 10);
  board.set({.x = 257, .y = 258, .colour = 0xaabbcc}, 1);
  const canvas::Area area{.x = 256, .y = 258, .width = 2, .height = 1};
  EXPECT_EQ(picture_of(board, area).pixels, std::vector<std::uint8_t>(6, 0xff));
  board.finish_tick();
  EXPECT_EQ(picture_of(board, area).pixels, (std::vector<std::uint8_t>{0xff, 0xff, 0xff, 0xaa, 0xbb, 0xcc}));
}

TEST(Picture, HasAtMostPicturePixelsMax) {
  const canvas::RoomSpec spec{.width = 5000, .height = 5000};
  EXPECT_EQ(picture_problem(spec, {.width = 4096, .height = 4096}), std::nullopt);
  EXPECT_THAT(picture_problem(spec, {.width = 4096, .height = 4097}).value(),
              HasSubstr("at most 16777216 pixels"));
  EXPECT_EQ(picture_problem(spec, {.x = 4999, .y = 4999, .width = 1, .height = 1}), std::nullopt);
  EXPECT_TRUE(picture_problem(spec, {.x = 5000, .y = 0, .width = 1, .height = 1}));
  EXPECT_TRUE(picture_problem(spec, {.x = 4999, .y = 0, .width = 2, .height = 1}));
  EXPECT_TRUE(picture_problem(spec, {.width = 0, .height = 1}));
}

TEST(Picture, IsCompleteWithAnyNumberOfRows) {
  for (const std::uint32_t height : {1U, kPngRows - 1, kPngRows, kPngRows + 1, 2 * kPngRows}) {
    const canvas::RoomSpec spec{.width = 3, .height = height, .background = 0, .palette = {0, 1}};
    Picture picture = blank_picture(spec, canvas::Area::whole(spec));
    draw(picture, spec, 2, height - 1, 1);
    std::string rows(std::size_t{height} * 4, '\0');
    rows.back() = '\x01';
    EXPECT_EQ(inflated(png_data(spec, picture, 3), rows.size()), rows) << height;
  }
}

TEST(Picture, IsGivenUpInTheMiddle) {
  const canvas::RoomSpec spec{.width = 3, .height = 3 * kPngRows};
  const Picture picture = blank_picture(spec, canvas::Area::whole(spec));
  int asked = 0;
  EXPECT_EQ(png_of(spec, picture, kPngLevel, [&] { return ++asked < 2; }), "");
  EXPECT_EQ(asked, 2);
}

// Of the present, on the painter's thread.
class PaintingTest : public testing::Test {
 protected:
  PaintingTest() {
    EXPECT_TRUE(rooms_.add({}, {}).has_value());
    // Until then nothing is painted.
    room().post([this](RoomThread&) { go_on_.get_future().wait(); });
  }
  RoomThread& room() { return *rooms_.find("main"); }
  Painter::Asked paint(std::uint32_t x, const std::string& payer, Abandonment abandonment = nullptr) {
    return rooms_.painter().paint(room(), {.area = {.x = x, .y = 0, .width = 1, .height = 1},
                                           .payer = payer,
                                           .abandonment = std::move(abandonment),
                                           .done = [this](const std::shared_ptr<const std::string>& png) {
                                             const std::scoped_lock lock(mutex_);
                                             sizes_.push_back(png == nullptr ? 0 : png->size());
                                             changed_.notify_one();
                                           }});
  }
  std::vector<std::size_t> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return sizes_.size() >= count; });
    return sizes_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::size_t> sizes_;
  std::promise<void> go_on_;
  Rooms rooms_;
};

TEST_F(PaintingTest, APayerHasAtMostPaintingsPerPayerMaxAndOneThatOthersPaidForIsFree) {
  for (std::uint32_t x = 0; x < kPaintingsPerPayerMax; ++x) {
    EXPECT_EQ(paint(x, "one"), Painter::Asked::accepted);
  }
  EXPECT_EQ(paint(50, "one"), Painter::Asked::payer_has_too_many);
  EXPECT_EQ(paint(50, "two"), Painter::Asked::accepted);
  EXPECT_EQ(paint(50, "one"), Painter::Asked::accepted) << "the same picture";
  go_on_.set_value();
  EXPECT_THAT(wait_for(kPaintingsPerPayerMax + 2), testing::Each(testing::Gt(0U)));
  EXPECT_EQ(paint(60, "one"), Painter::Asked::accepted);
  wait_for(kPaintingsPerPayerMax + 3);
}

TEST_F(PaintingTest, IsNotMadeIfNobodyWaitsForIt) {
  const auto gone = std::make_shared<std::atomic<bool>>(true);
  paint(1, "one", gone);
  paint(2, "one", gone);
  paint(2, "two");
  go_on_.set_value();
  const auto sizes = wait_for(3);
  EXPECT_EQ(sizes[0], 0U);
  EXPECT_THAT(sizes[1], testing::Gt(0U)) << "somebody else waits for this one";
}

TEST(Rooms, HaveNamesOfTheirOwnAndAtMostRoomsMax) {
  Rooms rooms;
  EXPECT_TRUE(rooms.add({}, {}).has_value());
  EXPECT_THAT(rooms.add({}, {}).error(), HasSubstr("already a room 'main'"));
  EXPECT_THAT(rooms.add({.spec = {.name = "no/name"}}, {}).error(), testing::Not(IsEmpty()));
  EXPECT_THAT(rooms.add({.spec = {.name = "file"}, .file = "/tmp/x"}, {}).error(),
              HasSubstr("needs a store"));
  for (std::size_t i = 1; i < kRoomsMax; ++i) {
    EXPECT_TRUE(
        rooms.add({.spec = {.name = "r" + std::to_string(i), .width = 1, .height = 1}}, {}).has_value());
  }
  EXPECT_THAT(rooms.add({.spec = {.name = "more"}}, {}).error(), HasSubstr("at most 64 rooms"));
}

TEST(RoomThread, TakesAsManyTasksAsInboxTasksMax) {
  Rooms rooms;
  ASSERT_TRUE(rooms.add({}, {}).has_value());
  const Rooms::RoomPtr found = rooms.find("main");
  RoomThread& room = *found;
  std::promise<void> began;
  std::promise<void> go_on;
  room.post([&](RoomThread&) {
    began.set_value();
    go_on.get_future().wait();
  });
  began.get_future().wait();
  std::vector<RoomThread::Task> tasks;
  for (std::size_t i = 0; i < kInboxTasksMax; ++i) tasks.emplace_back([](RoomThread&) {});
  EXPECT_TRUE(room.post(tasks, 1));
  tasks.emplace_back([](RoomThread&) {});
  EXPECT_FALSE(room.post(tasks, 1));
  EXPECT_THAT(tasks, SizeIs(1)) << "nothing is lost";
  go_on.set_value();
  while (!room.post(tasks, kInboxBytesMax)) std::this_thread::yield();
}

}  // namespace
}  // namespace fanfare::canvasserver
