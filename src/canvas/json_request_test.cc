#include "canvas/json_request.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "canvas/json_messages.h"
#include "canvas/limits.h"
#include "jsonrpc/value.h"

namespace fanfare::canvas {
namespace {

const RoomSpec kRoom24{.width = 1000, .height = 600};
const RoomSpec kThreeColours{
    .width = 1000, .height = 600, .background = 0, .palette = {0, 0xFF0000, 0x00FF00}};

template <typename Action>
Action parsed(std::string_view text, const RoomSpec& spec = kRoom24) {
  const auto request = parse_json_request(text, spec);
  EXPECT_TRUE(request) << text << ": " << (request ? "" : request.error().message);
  const Action* const action = request ? std::get_if<Action>(&request->action) : nullptr;
  EXPECT_NE(action, nullptr) << text;
  return action == nullptr ? Action{} : *action;
}

ProtocolError refused(std::string_view text, const RoomSpec& spec = kRoom24) {
  const auto request = parse_json_request(text, spec);
  EXPECT_FALSE(request) << text;
  if (request) return {};
  EXPECT_FALSE(request.error().message.empty());
  EXPECT_TRUE(jsonrpc::is_valid_json(error_message(request.error()))) << error_message(request.error());
  return request.error();
}

void expect_bad(std::string_view text, std::string_view field) {
  const ProtocolError error = refused(text);
  EXPECT_EQ(error.code, ErrorCode::bad_message) << text;
  EXPECT_EQ(error.field, field) << text;
}

void expect_range(std::string_view text, std::string_view field, std::string_view value,
                  std::string_view limit) {
  const ProtocolError error = refused(text);
  EXPECT_EQ(error.code, ErrorCode::out_of_range) << text;
  EXPECT_EQ(error.field, field) << text;
  EXPECT_EQ(error.value, value) << text;
  EXPECT_EQ(error.limit, limit) << text;
}

TEST(JsonRequest, PixelUpdate) {
  const auto draw = parsed<DrawRequest>(R"({"type":"pixel_update","x":999,"y":5,"color":"#aaBBcc"})");
  EXPECT_EQ(draw.pixel, (Pixel{.x = 999, .y = 5, .colour = 0xAABBCC}));
  EXPECT_EQ(draw.proof, "");
  const auto number =
      parsed<DrawRequest>(R"( {"type":"pixel_update","x":1e2,"y":5.0,"color":255,"proof":{"n":[1]}} )");
  EXPECT_EQ(number.pixel, (Pixel{.x = 100, .y = 5, .colour = 255}));
  EXPECT_EQ(number.proof, R"({"n":[1]})");
  EXPECT_EQ(parsed<DrawRequest>(R"({"type":"pixel_update","x":1,"y":-0,"color":"#00ff00"})", kThreeColours)
                .pixel.colour,
            2U);
  EXPECT_EQ(
      parsed<DrawRequest>(R"({"type":"pixel_update","x":1,"y":5,"color":1})", kThreeColours).pixel.colour,
      1U);
  EXPECT_EQ(refused(R"({"type":"pixel_update","x":1,"y":5,"color":3})", kThreeColours).limit, "2");
  EXPECT_EQ(refused(R"({"type":"pixel_update","x":1,"y":5,"color":"#0000ff"})", kThreeColours).value,
            "\"#0000ff\"");
}

TEST(JsonRequest, PlacesOutsideOfTheCanvas) {
  const auto with_x = [](std::string_view x) {
    return "{\"type\":\"pixel_update\",\"x\":" + std::string(x) + ",\"y\":0,\"color\":0}";
  };
  for (const char* x :
       {"1000", "-1", "1.5", "1e9", "1e999", "-0.5", "1e-3", "4294967297", "18446744073709551617"}) {
    expect_range(with_x(x), "x", x, "999");
  }
  expect_range(with_x("1" + std::string(100, '0')), "x", "", "999");
  expect_range(R"({"type":"pixel_update","x":0,"y":600,"color":0})", "y", "600", "599");
  expect_range(R"({"type":"pixel_update","x":0,"y":0,"color":16777216})", "color", "16777216", "16777215");
  expect_range(R"({"type":"pixel_update","x":0,"y":0,"color":-1})", "color", "-1", "16777215");
  EXPECT_EQ(refused(with_x("NaN")).code, ErrorCode::not_json);
  EXPECT_EQ(refused(with_x("Infinity")).code, ErrorCode::not_json);
}

TEST(JsonRequest, MissingFieldsAndWrongTypes) {
  expect_bad(R"({"type":"pixel_update","y":0,"color":0})", "x");
  expect_bad(R"({"type":"pixel_update","x":0,"color":0})", "y");
  expect_bad(R"({"type":"pixel_update","x":0,"y":0})", "color");
  for (const char* x : {"\"5\"", "null", "true", "[]", "{}"}) {
    expect_bad("{\"type\":\"pixel_update\",\"x\":" + std::string(x) + ",\"y\":0,\"color\":0}", "x");
  }
  for (const char* colour : {"\"red\"", "\"#12345\"", "\"#1234567\"", "\"#12345g\"", "null", "[1]"}) {
    expect_bad("{\"type\":\"pixel_update\",\"x\":0,\"y\":0,\"color\":" + std::string(colour) + "}", "color");
  }
  expect_bad("{}", "type");
  expect_bad(R"({"type":5})", "type");
  for (const char* text : {"[]", "5", "\"ping\"", "null"}) expect_bad(text, "");
  const ProtocolError unknown = refused(R"({"type":"welcome","id":4})");
  EXPECT_EQ(unknown.code, ErrorCode::unknown_type);
  EXPECT_EQ(unknown.id, "4");
  EXPECT_EQ(unknown.value, "\"welcome\"");
}

TEST(JsonRequest, WhatIsNotJson) {
  for (const char* text : {"", "{", "{]", "{\"type\":\"ping\"} x", "{'type':1}", "\x01", "{\"a\":01}"}) {
    EXPECT_EQ(refused(text).code, ErrorCode::not_json) << text;
  }
  const auto nested = [](std::size_t depth) {
    return "{\"type\":\"ping\",\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  parsed<PingRequest>(nested(kJsonDepthMax));
  EXPECT_EQ(refused(nested(kJsonDepthMax + 1)).code, ErrorCode::not_json);
}

TEST(JsonRequest, Ids) {
  const auto id_of = [](std::string_view id) {
    const auto request = parse_json_request("{\"type\":\"ping\",\"id\":" + std::string(id) + "}", kRoom24);
    return request ? request->id : "refused";
  };
  EXPECT_EQ(id_of("7"), "7");
  EXPECT_EQ(id_of("-7"), "-7");
  EXPECT_EQ(id_of("\"a\\n\""), "\"a\\n\"");
  EXPECT_EQ(id_of("\"" + std::string(kIdBytesMax, 'a') + "\"").size(), kIdBytesMax + 2);
  EXPECT_EQ(id_of("\"" + std::string(kIdBytesMax + 1, 'a') + "\""), "refused");
  for (const char* id : {"1.5", "1e3", "null", "[]", "true"}) EXPECT_EQ(id_of(id), "refused") << id;
  EXPECT_EQ(refused(R"({"type":"pixel_update","id":"q","x":"no"})").id, "\"q\"");
  EXPECT_EQ(refused(R"({"type":"ping","id":[]})").field, "id");
  EXPECT_EQ(refused(R"({"type":"ping","id":[]})").id, "");
}

TEST(JsonRequest, Users) {
  EXPECT_EQ(parsed<UsersRequest>(R"({"type":"users"})").after, 0U);
  EXPECT_EQ(parsed<UsersRequest>(R"({"type":"users","after":"u200"})").after, 200U);
  expect_bad(R"({"type":"users","after":200})", "after");
  expect_range(R"({"type":"users","after":"u0"})", "after", "\"u0\"", "");
}

TEST(JsonRequest, CursorMove) {
  EXPECT_EQ(parsed<CursorRequest>(R"({"type":"cursor_move","x":1,"y":2})").position,
            (CursorMessage::Position{.x = 1, .y = 2}));
  EXPECT_FALSE(parsed<CursorRequest>(R"({"type":"cursor_move"})").position);
  expect_bad(R"({"type":"cursor_move","x":1})", "y");
  expect_range(R"({"type":"cursor_move","x":1,"y":600})", "y", "600", "599");
}

TEST(JsonRequest, Watch) {
  EXPECT_EQ(parsed<WatchRequest>(R"({"type":"watch","x":10,"y":20,"width":990,"height":580})").area,
            (Area{.x = 10, .y = 20, .width = 990, .height = 580}));
  expect_range(R"({"type":"watch","x":10,"y":20,"width":991,"height":1})", "width", "991", "990");
  expect_range(R"({"type":"watch","x":10,"y":20,"width":1,"height":581})", "height", "581", "580");
  expect_range(R"({"type":"watch","x":10,"y":20,"width":0,"height":1})", "width", "0", "990");
  expect_range(R"({"type":"watch","x":1000,"y":20,"width":1,"height":1})", "x", "1000", "999");
  expect_bad(R"({"type":"watch","x":10,"y":20,"width":1})", "height");
}

TEST(JsonRequest, UndoAndAuthenticate) {
  EXPECT_EQ(parsed<UndoRequest>(R"({"type":"undo"})").count, 1U);
  EXPECT_EQ(parsed<UndoRequest>(R"({"type":"undo","count":4096})").count, 4096U);
  expect_range(R"({"type":"undo","count":4097})", "count", "4097", "4096");
  expect_range(R"({"type":"undo","count":0})", "count", "0", "4096");
  EXPECT_EQ(parsed<AuthenticateRequest>(R"({"type":"authenticate","token":"a\u0041"})").token, "aA");
  expect_bad(R"({"type":"authenticate"})", "token");
}

TEST(JsonRequest, Moderation) {
  using Kind = ModerationEvent::Kind;
  EXPECT_EQ(parsed<WhoRequest>(R"({"type":"who","x":1,"y":2})").place,
            (CursorMessage::Position{.x = 1, .y = 2}));
  EXPECT_EQ(parsed<RestoreRequest>(R"({"type":"undo_user","user_id":"u7"})").event,
            (ModerationEvent{.kind = Kind::undo_user, .user = 7}));
  EXPECT_EQ(
      parsed<RestoreRequest>(R"({"type":"undo_user","user_id":"u7","since_ms":1795000000000})").event.at_ms,
      1'795'000'000'000);
  EXPECT_EQ(
      parsed<RestoreRequest>(R"({"type":"undo_area","x":1,"y":2,"width":3,"height":4,"since_ms":5})").event,
      (ModerationEvent{
          .kind = Kind::undo_area, .area = {.x = 1, .y = 2, .width = 3, .height = 4}, .at_ms = 5}));
  EXPECT_EQ(parsed<RestoreRequest>(R"({"type":"rollback","at_ms":9})").event,
            (ModerationEvent{.kind = Kind::rollback, .at_ms = 9}));
  const auto ban = parsed<BanRequest>(R"({"type":"ban","user_id":"u7","seconds":315360000})");
  EXPECT_EQ(ban.user, 7U);
  EXPECT_EQ(ban.seconds, 315'360'000U);
  expect_range(R"({"type":"ban","user_id":"u7","seconds":315360001})", "seconds", "315360001", "315360000");
  expect_bad(R"({"type":"ban","user_id":"u7"})", "seconds");
  expect_bad(R"({"type":"ban","user_id":7,"seconds":1})", "user_id");
  expect_range(R"({"type":"undo_user","user_id":"bob"})", "user_id", "\"bob\"", "");
  expect_bad(R"({"type":"rollback"})", "at_ms");
  expect_bad(R"({"type":"undo_area","x":1,"y":2,"width":3,"height":4})", "since_ms");
  expect_range(R"({"type":"rollback","at_ms":-1})", "at_ms", "-1", "9007199254740991");
}

// The range in a message is the one that is accepted.
TEST(JsonRequest, RangesInMessagesAreTheAcceptedOnes) {
  const auto with = [](std::string text, const std::string& value) {
    return text.replace(text.find('#'), 1, value);
  };
  for (const std::string message : {
           R"({"type":"pixel_update","x":#,"y":0,"color":0})",
           R"({"type":"pixel_update","x":0,"y":#,"color":0})",
           R"({"type":"pixel_update","x":0,"y":0,"color":#})",
           R"({"type":"cursor_move","x":#,"y":0})",
           R"({"type":"watch","x":10,"y":20,"width":#,"height":1})",
           R"({"type":"watch","x":10,"y":20,"width":1,"height":#})",
           R"({"type":"undo","count":#})",
           R"({"type":"rollback","at_ms":#})",
           R"({"type":"ban","user_id":"u1","seconds":#})",
       }) {
    SCOPED_TRACE(message);
    const std::string text = refused(with(message, "-1")).message;
    const std::size_t from = text.find(" from ");
    const std::size_t to = text.find(" to ");
    ASSERT_NE(from, std::string::npos) << text;
    ASSERT_NE(to, std::string::npos) << text;
    const std::uint64_t min = std::stoull(text.substr(from + 6));
    const std::uint64_t max = std::stoull(text.substr(to + 4));
    EXPECT_TRUE(parse_json_request(with(message, std::to_string(min)), kRoom24));
    EXPECT_TRUE(parse_json_request(with(message, std::to_string(max)), kRoom24));
    EXPECT_EQ(refused(with(message, std::to_string(max + 1))).message, text);
    if (min > 0) EXPECT_EQ(refused(with(message, std::to_string(min - 1))).message, text);
  }
}

// Half of the messages are made of the parts of valid ones.
TEST(JsonRequest, RandomInputIsARequestOrADocumentedError) {
  constexpr std::string_view kParts[] = {"{",
                                         "}",
                                         "\"type\":",
                                         "\"pixel_update\"",
                                         "\"watch\"",
                                         "\"undo\"",
                                         "\"ban\"",
                                         "\"rollback\"",
                                         ",",
                                         "\"x\":",
                                         "\"y\":",
                                         "\"color\":",
                                         "\"#ff0000\"",
                                         "5",
                                         "-1",
                                         "1e400",
                                         "\"id\":",
                                         "null",
                                         "[",
                                         "]",
                                         "\"width\":",
                                         "\"height\":",
                                         "\"user_id\":",
                                         "\"u5\"",
                                         "\"seconds\":",
                                         "\"at_ms\":",
                                         "\\u0000",
                                         " ",
                                         "0.5",
                                         "\"cursor_move\"",
                                         "\"ping\"",
                                         ":"};
  SeededRandom random(3);
  std::size_t accepted = 0;
  for (int i = 0; i < 60'000; ++i) {
    std::string text;
    if (i % 2 == 0) {
      text = R"({"type":)";
      for (std::uint64_t parts = random.below(12); parts > 0; --parts)
        text += kParts[random.below(std::size(kParts))];
      text += '}';
    } else {
      text = R"({"type":"pixel_update","x":12,"y":34,"color":"#112233","id":"a"})";
      for (std::uint64_t edits = 1 + random.below(3); edits > 0; --edits) {
        text[random.below(text.size())] = static_cast<char>(random.below(128));
      }
    }
    const auto request = parse_json_request(text, i % 3 == 0 ? kThreeColours : kRoom24);
    if (request) {
      ++accepted;
    } else {
      ASSERT_TRUE(jsonrpc::is_valid_json(error_message(request.error()))) << text;
      EXPECT_FALSE(request.error().message.empty());
    }
  }
  EXPECT_GT(accepted, 100U);
}

}  // namespace
}  // namespace fanfare::canvas
