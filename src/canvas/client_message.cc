#include "canvas/client_message.h"

#include <bitset>

#include "base/text.h"
#include "canvas/wire.h"
#include "jsonrpc/scan.h"

namespace fanfare::canvas {
namespace {

using Parsed = std::expected<ClientMessage, ProtocolError>;

constexpr std::uint8_t kPixelsOp = 0x01;
constexpr std::uint8_t kWatchOp = 0x02;
constexpr std::uint8_t kFetchOp = 0x03;
constexpr std::uint8_t kCursorOp = 0x04;
constexpr std::uint8_t kUndoOp = 0x05;
constexpr std::uint8_t kProvenOp = 0x06;
constexpr std::string_view kProven = "PROVEN";

Parsed bad(std::string message) {
  return std::unexpected(ProtocolError{.code = ErrorCode::bad_message, .message = std::move(message)});
}

Parsed out_of_range(std::string message, std::string_view field = {}) {
  return std::unexpected(ProtocolError{
      .code = ErrorCode::out_of_range, .message = std::move(message), .field = std::string(field)});
}

Parsed cut_off(std::string_view name) {
  return bad(joined({name, " ends too early"}));
}

Parsed left_over(std::string_view name) {
  return bad(joined({name, " has bytes after its last field"}));
}

// One value, as in the field "proof" of a JSON client; the scanner checks its UTF-8, too.
bool is_json(std::string_view text) {
  jsonrpc::Scanner scanner(text);
  scanner.skip_space();
  if (!scanner.skip_value(kJsonDepthMax)) return false;
  scanner.skip_space();
  return scanner.at_end();
}

// `name`: PIXELS, or PROVEN, which has a proof.
Parsed parse_pixels(WireReader wire, const RoomSpec& spec, std::string_view name) {
  const auto request = wire.varint32();
  const auto proof = name == kProven ? wire.text() : std::string_view();
  if (!request || !proof) return cut_off(name);
  if (!proof->empty() && !is_json(*proof)) return bad(joined({"the proof of ", name, " is not JSON"}));
  const auto count = wire.varint32();
  if (!count) return cut_off(name);
  if (*count == 0 || *count > kPixelsPerMessageMax) return bad(joined({name, " has 1 to 4096 pixels"}));
  const std::size_t bytes_per_colour = spec.bytes_per_colour();
  const std::size_t size = *count * (4 + bytes_per_colour);
  if (wire.left() < size) return cut_off(name);
  if (wire.left() > size) return left_over(name);
  PixelsMessage message{.request = *request, .pixels = {}, .proof = std::string(*proof)};
  message.pixels.reserve(*count);
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto x = wire.u16();
    const auto y = wire.u16();
    const auto colour = wire.colour(bytes_per_colour);
    message.pixels.push_back({.x = *x, .y = *y, .colour = *colour});
  }
  return message;
}

Parsed parse_watch(WireReader wire, const RoomSpec& spec, std::size_t watched_chunks_max) {
  const auto x0 = wire.u8();
  const auto y0 = wire.u8();
  const auto x1 = wire.u8();
  const auto y1 = wire.u8();
  const auto epoch = wire.u64();
  const auto count = wire.varint32();
  if (!x0 || !y0 || !x1 || !y1 || !epoch || !count) return cut_off("WATCH");
  if (*x0 > *x1 || *y0 > *y1) return bad("the first chunk of WATCH is after its last one");
  WatchMessage message{.area = {.x0 = *x0, .y0 = *y0, .x1 = *x1, .y1 = *y1}, .epoch = *epoch, .known = {}};
  if (!has_chunk(spec, {.x = *x1, .y = *y1})) return out_of_range("WATCH: the canvas has no such chunk");
  if (message.area.count() > watched_chunks_max) {
    return out_of_range(joined({"WATCH has at most ", std::to_string(watched_chunks_max), " chunks"}));
  }
  // Each chunk at most once, in at least three bytes.
  if (*count > message.area.count()) return bad("WATCH names more chunks than its area has");
  if (*count > wire.left() / 3) return cut_off("WATCH");
  message.known.reserve(*count);
  std::bitset<65'536> named;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto cx = wire.u8();
    const auto cy = wire.u8();
    const auto version = wire.varint64();
    if (!cx || !cy || !version) return cut_off("WATCH");
    const ChunkId id{.x = *cx, .y = *cy};
    if (!message.area.contains(id)) return bad("WATCH names a chunk outside of its area");
    if (named[id.key()]) return bad("WATCH names a chunk twice");
    named.set(id.key());
    message.known.push_back({.id = id, .version = *version});
  }
  if (!wire.at_end()) return left_over("WATCH");
  return message;
}

Parsed parse_fetch(WireReader wire, const RoomSpec& spec) {
  const auto cx = wire.u8();
  const auto cy = wire.u8();
  if (!cx || !cy) return cut_off("FETCH");
  if (!wire.at_end()) return left_over("FETCH");
  const FetchMessage message{.chunk = {.x = *cx, .y = *cy}};
  if (!has_chunk(spec, message.chunk)) return out_of_range("FETCH: the canvas has no such chunk");
  return message;
}

Parsed parse_cursor(WireReader wire, const RoomSpec& spec) {
  if (wire.at_end()) return CursorMessage{};
  const auto x = wire.u16();
  const auto y = wire.u16();
  if (!x || !y) return cut_off("CURSOR");
  if (!wire.at_end()) return left_over("CURSOR");
  if (!has_pixel(spec, *x, *y)) return out_of_range("CURSOR: the place is not in the canvas");
  return CursorMessage{.position = {{.x = *x, .y = *y}}};
}

Parsed parse_undo(WireReader wire) {
  const auto request = wire.varint32();
  const auto count = wire.varint32();
  if (!request || !count) return cut_off("UNDO");
  if (!wire.at_end()) return left_over("UNDO");
  if (*count == 0 || *count > kPixelsPerMessageMax) return bad("UNDO takes back 1 to 4096 pixels");
  return UndoMessage{.request = *request, .count = *count};
}

}  // namespace

Parsed parse_client_message(Bytes message, const RoomSpec& spec, std::size_t watched_chunks_max) {
  WireReader wire(message);
  const auto op = wire.u8();
  if (!op) return bad("the message is empty");
  switch (*op) {
    case kPixelsOp:
      return parse_pixels(wire, spec, "PIXELS");
    case kWatchOp:
      return parse_watch(wire, spec, watched_chunks_max);
    case kFetchOp:
      return parse_fetch(wire, spec);
    case kCursorOp:
      return parse_cursor(wire, spec);
    case kUndoOp:
      return parse_undo(wire);
    case kProvenOp:
      return parse_pixels(wire, spec, kProven);
    default:
      return bad(joined({"unknown op-code ", std::to_string(*op)}));
  }
}

}  // namespace fanfare::canvas
