#include "canvas/json_messages.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "canvas/board.h"
#include "canvas/state_reader.h"
#include "jsonrpc/value.h"

namespace fanfare::canvas {
namespace {

const RoomSpec kTwoColours{
    .name = "a", .width = 600, .height = 300, .background = 0, .palette = {0, 0xFF0000}};

TEST(JsonMessages, Welcome) {
  const Welcome welcome{
      .epoch = 1, .now_ms = 1234, .user_id = "u17", .user = 17, .rights = {.draw = true, .moderate = true}};
  Limits limits{.cooldown = std::chrono::milliseconds(1500)};
  limits.pixels_per_user.burst = 0;
  EXPECT_EQ(
      welcome_message(
          kTwoColours, limits, welcome,
          {.total = 9, .joined = {{.user = 17, .name = "\"Zoë\"", .colour = 0xAB}, {.user = 2}}, .left = {}}),
      R"({"type":"welcome","user_id":"u17","room":"a","width":600,"height":300,"background":"#000000",)"
      R"("palette":["#000000","#ff0000"],"users":[{"user_id":"u17","name":"\"Zoë\"","color":"#0000ab"},)"
      R"({"user_id":"u2","name":"","color":"#000000"}],"users_total":9,"may":["draw","moderate"],)"
      R"("limits":{"pixels_per_second":200,"pixels_burst":200,"address_pixels_per_second":1000,)"
      R"("address_pixels_burst":10000,"chunks_per_minute":30,"address_chunks_per_minute":60,"cooldown_ms":1500,"cursors_per_second":20,"messages_per_second":100,)"
      R"("message_bytes":65536},"reconnect":{"min_ms":500,"max_ms":30000},"timestamp":1234})");
  const std::string reader = welcome_message({}, limits, {.rights = {.draw = false}}, {});
  EXPECT_TRUE(jsonrpc::is_valid_json(reader));
  EXPECT_NE(reader.find(R"("may":[])"), std::string::npos);
  EXPECT_EQ(reader.find("palette"), std::string::npos);
}

TEST(JsonMessages, Events) {
  const ChunkId chunk{.x = 1, .y = 0};
  EXPECT_EQ(pixel_changed_message(kTwoColours, chunk, {.index = 513, .user = 7, .colour = 1}),
            R"({"type":"pixel_changed","x":257,"y":2,"color":"#ff0000","user_id":"u7"})");
  EXPECT_EQ(pixel_changed_message({}, chunk, {.index = 0, .user = 0, .colour = 0xABCDEF}),
            R"({"type":"pixel_changed","x":256,"y":0,"color":"#abcdef","user_id":null})");
  EXPECT_EQ(users_message("7", {.users = {{.user = 7, .name = "A", .colour = 1}, {.user = 9}}}),
            R"({"type":"users","id":7,"users":[{"user_id":"u7","name":"A","color":"#000001"},)"
            R"({"user_id":"u9","name":"","color":"#000000"}],"complete":false})");
  EXPECT_EQ(users_message("", {.is_complete = true}), R"({"type":"users","users":[],"complete":true})");
  EXPECT_EQ(cursor_message({.user = 7, .x = 1, .y = 2}), R"({"type":"cursor","user_id":"u7","x":1,"y":2})");
  EXPECT_EQ(cursor_message({.user = 7, .x = 65'535, .y = 65'535}),
            R"({"type":"cursor","user_id":"u7","x":65535,"y":65535})");
  EXPECT_EQ(cursor_message(CursorMove::left(7)), R"({"type":"cursor","user_id":"u7"})");
  EXPECT_EQ(user_joined_message({.user = 7, .name = "A\n", .colour = 1}),
            R"({"type":"user_joined","user_id":"u7","name":"A\n","color":"#000001"})");
  EXPECT_EQ(user_left_message(7), R"({"type":"user_left","user_id":"u7"})");
}

TEST(JsonMessages, Answers) {
  EXPECT_EQ(ok_message({}), R"({"type":"ok"})");
  EXPECT_EQ(ok_message("\"q\"", 5), R"({"type":"ok","id":"q","count":5})");
  EXPECT_EQ(pong_message("7"), R"({"type":"pong","id":7})");
  EXPECT_EQ(
      history_message(kTwoColours, "1", 4, 5,
                      std::vector<WhoEntry>{{.pixel = {.user = 7, .colour = 1, .time_ms = 99}, .name = "A"},
                                            {.pixel = {.user = 8, .colour = 0, .time_ms = 98}, .name = ""}}),
      R"({"type":"history","id":1,"x":4,"y":5,"pixels":[{"user_id":"u7","name":"A","color":"#ff0000","timestamp":99},)"
      R"({"user_id":"u8","name":"","color":"#000000","timestamp":98}]})");
  EXPECT_EQ(history_message(kTwoColours, {}, 4, 5, {}), R"({"type":"history","x":4,"y":5,"pixels":[]})");
  EXPECT_EQ(
      error_message({.code = ErrorCode::out_of_range,
                     .message = "no",
                     .id = "3",
                     .field = "x",
                     .value = "-1",
                     .limit = "999",
                     .retry_after = std::chrono::milliseconds(5)}),
      R"({"type":"error","id":3,"code":"out_of_range","message":"no","field":"x","value":-1,"limit":999,"retry_after_ms":5})");
  EXPECT_EQ(error_message({.code = ErrorCode::not_json, .message = "no"}),
            R"({"type":"error","code":"not_json","message":"no"})");
}

using Places = std::map<std::pair<std::uint64_t, std::uint64_t>, std::string>;

// Reads one message; the result is `complete`.
bool read_state(std::string_view message, Places& places, std::size_t& count) {
  EXPECT_TRUE(jsonrpc::is_valid_json(message));
  for (const std::string_view pixel : jsonrpc::array_elements(*jsonrpc::member(message, "pixels"))) {
    ++count;
    places[{*jsonrpc::uint_value(*jsonrpc::member(pixel, "x")),
            *jsonrpc::uint_value(*jsonrpc::member(pixel, "y"))}] =
        *jsonrpc::string_value(*jsonrpc::member(pixel, "color"));
  }
  return *jsonrpc::bool_value(*jsonrpc::member(message, "complete"));
}

TEST(JsonMessages, APlaceThatIsBlankAgainHasNoAuthor) {
  const WhoEntry blank{.pixel = {.user = 0, .colour = 0, .time_ms = 5}, .name = ""};
  EXPECT_NE(
      history_message({}, "", 1, 2, std::span(&blank, 1)).find(R"("pixels":[{"user_id":null,"name":"",)"),
      std::string::npos);
}

TEST(StateReader, AnAreaWithoutPixelsIsOneMessage) {
  Board board(kTwoColours, 10);
  StateReader reader({.x = 5, .y = 6, .width = 500, .height = 200});
  EXPECT_EQ(reader.next(board),
            R"({"type":"canvas_state","x":5,"y":6,"width":500,"height":200,"pixels":[],"complete":true})");
  EXPECT_TRUE(reader.is_complete());
  EXPECT_FALSE(reader.next(board));
}

TEST(StateReader, HasEachDrawnPixelOfTheAreaOnce) {
  Board board(kTwoColours, 10);
  SeededRandom random(9);
  for (int i = 0; i < 20'000; ++i) {
    board.set({.x = static_cast<std::uint16_t>(random.below(600)),
               .y = static_cast<std::uint16_t>(random.below(300)),
               .colour = static_cast<Colour>(random.below(2))},
              static_cast<UserNumber>(1 + random.below(3)));
  }
  board.finish_tick();
  for (const Area& area : {Area::whole(kTwoColours), Area{.x = 200, .y = 200, .width = 100, .height = 100},
                           Area{.x = 255, .y = 255, .width = 2, .height = 2},
                           Area{.x = 599, .y = 299, .width = 1, .height = 1}}) {
    Places expected;
    for (std::uint32_t y = area.y; y < area.y + area.height; ++y) {
      for (std::uint32_t x = area.x; x < area.x + area.width; ++x) {
        const auto px = static_cast<std::uint16_t>(x);
        const auto py = static_cast<std::uint16_t>(y);
        if (board.author_at(px, py) != 0)
          expected[{x, y}] = board.colour_at(px, py) == 0 ? "#000000" : "#ff0000";
      }
    }
    StateReader reader(area);
    Places places;
    std::size_t count = 0;
    std::size_t messages = 0;
    bool is_complete = false;
    while (const auto message = reader.next(board)) {
      EXPECT_FALSE(is_complete);
      const std::size_t before = count;
      is_complete = read_state(*message, places, count);
      EXPECT_LE(count - before, kStatePixelsMax);
      ++messages;
    }
    EXPECT_TRUE(is_complete);
    EXPECT_EQ(places, expected);
    EXPECT_EQ(count, expected.size()) << "each once";
    EXPECT_GE(messages, expected.size() / kStatePixelsMax);
  }
}

TEST(StateReader, HasNothingOfTheOpenTick) {
  Board board(kTwoColours, 10);
  board.set({.x = 1, .y = 1, .colour = 1}, 5);
  board.finish_tick();
  board.set({.x = 1, .y = 1, .colour = 0}, 6);
  board.set({.x = 2, .y = 1, .colour = 1}, 6);
  StateReader reader(Area::whole(kTwoColours));
  Places places;
  std::size_t count = 0;
  EXPECT_TRUE(read_state(*reader.next(board), places, count));
  EXPECT_EQ(places, (Places{{{1, 1}, "#ff0000"}}));
}

TEST(StateReader, AMessageOfALargeCanvasLooksAtLimitedManyPlaces) {
  Board board({.width = kSideMax, .height = kSideMax}, 40);
  for (std::uint16_t i = 0; i < 40; ++i) board.set({.x = static_cast<std::uint16_t>(i * 256), .y = 0}, 1);
  board.finish_tick();
  StateReader reader({.width = kSideMax, .height = kSideMax});
  Places places;
  std::size_t count = 0;
  std::size_t messages = 0;
  while (const auto message = reader.next(board)) {
    read_state(*message, places, count);
    ++messages;
  }
  EXPECT_EQ(count, 40U);
  EXPECT_EQ(messages, 11U) << "four chunks in each, and the empty rest in the last";
}

}  // namespace
}  // namespace fanfare::canvas
