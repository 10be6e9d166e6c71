#include "canvas/client_message.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "canvas/wire.h"

namespace fanfare::canvas {
namespace {

constexpr std::size_t kWatchedMax = 4;

const RoomSpec kBits24{.width = 1000, .height = 600};
const RoomSpec kIndexed{.width = 1000, .height = 600, .background = 0, .palette = {0, 0xFF0000}};

using Message = std::vector<std::uint8_t>;

std::expected<ClientMessage, ProtocolError> parse(const Message& message, const RoomSpec& spec = kBits24) {
  return parse_client_message(message, spec, kWatchedMax);
}

template <typename Kind>
Kind parsed(const Message& message, const RoomSpec& spec = kBits24) {
  const auto result = parse(message, spec);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  const Kind* const kind = result ? std::get_if<Kind>(&*result) : nullptr;
  EXPECT_NE(kind, nullptr);
  return kind == nullptr ? Kind{} : *kind;
}

void expect_error(const Message& message, ErrorCode code, std::string_view part) {
  const auto result = parse(message);
  ASSERT_FALSE(result) << part;
  EXPECT_EQ(result.error().code, code) << part;
  EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
}

void expect_bad(const Message& message, std::string_view part) {
  expect_error(message, ErrorCode::bad_message, part);
}

// Each prefix ends too early, and one byte more is left over.
void expect_exact_length(const Message& message) {
  ASSERT_TRUE(parse(message));
  for (std::size_t size = 1; size < message.size(); ++size) {
    expect_bad({message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size)}, "ends too early");
  }
  Message longer = message;
  longer.push_back(0);
  expect_bad(longer, "after its last field");
}

TEST(ClientMessage, Pixels) {
  const Message message{1, 0x83, 0x01, 2, 0x2C, 1, 5, 0, 0xAA, 0xBB, 0xCC, 0xFF, 0xFF, 0xFE, 0xFF, 1, 2, 3};
  const auto pixels = parsed<PixelsMessage>(message);
  EXPECT_EQ(pixels.request, 131U);
  EXPECT_EQ(pixels.pixels, (std::vector<Pixel>{{.x = 300, .y = 5, .colour = 0xAABBCC},
                                               {.x = 65'535, .y = 65'534, .colour = 0x010203}}));
  expect_exact_length(message);
  const auto of_palette = parsed<PixelsMessage>({1, 0, 1, 1, 0, 2, 0, 1}, kIndexed);
  EXPECT_EQ(of_palette.pixels, (std::vector<Pixel>{{.x = 1, .y = 2, .colour = 1}}));
}

TEST(ClientMessage, PixelsHaveALimit) {
  Message most{1, 0, 0x80, 0x20};
  most.resize(most.size() + std::size_t{kPixelsPerMessageMax} * 7);
  EXPECT_EQ(parsed<PixelsMessage>(most).pixels.size(), kPixelsPerMessageMax);
  most[2] = 0x81;
  most.resize(most.size() + 7);
  expect_bad(most, "1 to 4096 pixels");
  expect_bad({1, 0, 0}, "1 to 4096 pixels");
  // A count far beyond the message's bytes: nothing is allocated.
  expect_bad({1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F}, "1 to 4096 pixels");
  expect_bad({1, 0, 0xFF, 0x1F, 0, 0}, "ends too early");
}

TEST(ClientMessage, VarintsHaveAtMost32Bits) {
  EXPECT_EQ(parsed<UndoMessage>({5, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1}).request, 0xFFFFFFFFU);
  EXPECT_EQ(parsed<UndoMessage>({5, 0x81, 0x80, 0x00, 1}).request, 1U) << "unused zeros";
  expect_bad({5, 0xFF, 0xFF, 0xFF, 0xFF, 0x10, 1}, "ends too early");
  expect_bad({5, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 1}, "ends too early");
}

TEST(ClientMessage, Watch) {
  const Message message{2, 1, 0, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 2, 1, 0, 0xAC, 0x02, 2, 1, 5};
  const auto watch = parsed<WatchMessage>(message);
  EXPECT_EQ(watch.area, (ChunkArea{.x0 = 1, .y0 = 0, .x1 = 2, .y1 = 1}));
  EXPECT_EQ(watch.epoch, 0x0102030405060708U);
  EXPECT_EQ(watch.known, (std::vector<KnownChunk>{{.id = {.x = 1, .y = 0}, .version = 300},
                                                  {.id = {.x = 2, .y = 1}, .version = 5}}));
  expect_exact_length(message);
}

TEST(ClientMessage, WatchHasVersionsOf64Bits) {
  Message message{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0};
  for (int i = 0; i < 9; ++i) message.push_back(0xFF);
  message.push_back(1);
  EXPECT_EQ(parsed<WatchMessage>(message).known.at(0).version, ~Version{0});
  message.back() = 2;
  expect_bad(message, "ends too early");
}

TEST(ClientMessage, WatchRejectsWhatIsNotAnArea) {
  const auto watch = [](std::uint8_t x0, std::uint8_t y0, std::uint8_t x1, std::uint8_t y1, Message list) {
    Message message{2, x0, y0, x1, y1, 0, 0, 0, 0, 0, 0, 0, 0};
    message.insert(message.end(), list.begin(), list.end());
    return message;
  };
  expect_bad(watch(1, 0, 0, 0, {0}), "first chunk");
  expect_bad(watch(0, 1, 0, 0, {0}), "first chunk");
  EXPECT_TRUE(parse(watch(3, 2, 3, 2, {0})));
  expect_error(watch(3, 2, 4, 2, {0}), ErrorCode::out_of_range, "no such chunk");
  expect_error(watch(3, 2, 3, 3, {0}), ErrorCode::out_of_range, "no such chunk");
  EXPECT_TRUE(parse(watch(0, 0, 3, 0, {0}))) << "at the limit of chunks";
  expect_error(watch(0, 0, 1, 2, {0}), ErrorCode::out_of_range, "at most 4 chunks");
  expect_bad(watch(0, 0, 0, 0, {2, 0, 0, 1, 0, 0, 1}), "more chunks");
  expect_bad(watch(0, 0, 1, 0, {2, 0, 0, 1, 0, 0, 1}), "twice");
  expect_bad(watch(0, 0, 1, 0, {1, 2, 0, 1}), "outside of its area");
  expect_bad(watch(0, 0, 1, 0, {0xFF, 0xFF, 0xFF, 0xFF, 0x0F}), "more chunks");
}

TEST(ClientMessage, Fetch) {
  EXPECT_EQ(parsed<FetchMessage>({3, 3, 2}).chunk, (ChunkId{.x = 3, .y = 2}));
  expect_exact_length({3, 3, 2});
  expect_error({3, 4, 0}, ErrorCode::out_of_range, "no such chunk");
  expect_error({3, 0, 3}, ErrorCode::out_of_range, "no such chunk");
}

TEST(ClientMessage, Cursor) {
  EXPECT_EQ(parsed<CursorMessage>({4, 0xE7, 3, 0x57, 2}).position,
            (CursorMessage::Position{.x = 999, .y = 599}));
  EXPECT_FALSE(parsed<CursorMessage>({4}).position) << "it has left";
  const RoomSpec largest{.width = kSideMax, .height = kSideMax};
  EXPECT_EQ(parsed<CursorMessage>({4, 0xFF, 0xFF, 0xFF, 0xFF}, largest).position,
            (CursorMessage::Position{.x = 65'535, .y = 65'535}));
  expect_error({4, 0xFF, 0xFF, 0xFF, 0xFF}, ErrorCode::out_of_range, "not in the canvas");
  expect_bad({4, 0}, "ends too early");
  expect_bad({4, 0, 0, 0}, "ends too early");
  expect_bad({4, 0, 0, 0, 0, 0}, "after its last field");
  expect_error({4, 0xE8, 3, 0, 0}, ErrorCode::out_of_range, "not in the canvas");
  expect_error({4, 0, 0, 0x58, 2}, ErrorCode::out_of_range, "not in the canvas");
  expect_error({4, 0xFF, 0xFF, 0, 0}, ErrorCode::out_of_range, "not in the canvas");
}

TEST(ClientMessage, Undo) {
  const auto undo = parsed<UndoMessage>({5, 9, 0x80, 0x20});
  EXPECT_EQ(undo.request, 9U);
  EXPECT_EQ(undo.count, kPixelsPerMessageMax);
  expect_exact_length({5, 9, 3});
  expect_bad({5, 9, 0}, "1 to 4096");
  expect_bad({5, 9, 0x81, 0x20}, "1 to 4096");
}

TEST(ClientMessage, ProvenPixels) {
  const Message message{6, 0x85, 0x01, 4, '"', 'o', 'k', '"', 1, 1, 0, 2, 0, 9, 8, 7};
  const auto proven = parsed<PixelsMessage>(message);
  EXPECT_EQ(proven.request, 133U);
  EXPECT_EQ(proven.proof, "\"ok\"");
  EXPECT_EQ(proven.pixels, (std::vector<Pixel>{{.x = 1, .y = 2, .colour = 0x090807}}));
  expect_exact_length(message);
  EXPECT_EQ(parsed<PixelsMessage>({6, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}).proof, "") << "none";
  expect_bad({6, 0, 2, 'o', 'k', 1, 0, 0, 0, 0, 0, 0, 0}, "the proof of PROVEN is not JSON");
  expect_bad({6, 0, 3, '1', ' ', '1', 1, 0, 0, 0, 0, 0, 0, 0}, "the proof of PROVEN is not JSON");
  expect_bad({6, 0, 3, '"', 0xFF, '"', 1, 0, 0, 0, 0, 0, 0, 0}, "the proof of PROVEN is not JSON");
  expect_bad({6, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F}, "PROVEN ends too early");
  expect_bad({6, 0, 1, '1', 0}, "PROVEN has 1 to 4096 pixels");
  for (const std::size_t depth : {std::size_t{kJsonDepthMax}, std::size_t{kJsonDepthMax} + 1}) {
    Message deep{6, 0, static_cast<std::uint8_t>(2 * depth)};
    deep.insert(deep.end(), depth, '[');
    deep.insert(deep.end(), depth, ']');
    deep.insert(deep.end(), {1, 0, 0, 0, 0, 0, 0, 0});
    EXPECT_EQ(parse(deep).has_value(), depth == kJsonDepthMax) << depth;
  }
}

TEST(ClientMessage, OtherOpCodes) {
  expect_bad({}, "empty");
  for (int op = 0; op < 256; ++op) {
    if (op >= 1 && op <= 6) continue;
    expect_bad({static_cast<std::uint8_t>(op), 0, 0, 0, 0, 0}, "unknown op-code " + std::to_string(op));
  }
}

TEST(ClientMessage, RandomBytesAreAMessageOrADocumentedError) {
  SeededRandom random(11);
  std::size_t accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    Message message(random.below(40));
    random.fill(message);
    if (!message.empty()) message[0] %= 7;
    const RoomSpec& spec = i % 2 == 0 ? kBits24 : kIndexed;
    const auto result = parse(message, spec);
    if (result) {
      ++accepted;
    } else {
      EXPECT_TRUE(result.error().code == ErrorCode::bad_message ||
                  result.error().code == ErrorCode::out_of_range);
      EXPECT_FALSE(result.error().message.empty());
    }
  }
  EXPECT_GT(accepted, 100U);
}

}  // namespace
}  // namespace fanfare::canvas
