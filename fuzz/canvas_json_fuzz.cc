// The JSON messages of canvas clients: each is a request whose places and colours are in the room, or ends in a
// documented error that is itself JSON.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/check.h"
#include "canvas/json_messages.h"
#include "canvas/json_request.h"
#include "canvas/limits.h"
#include "jsonrpc/value.h"
#include "ws/utf8.h"

namespace {

using namespace fanfare;
using namespace fanfare::canvas;

void check(const JsonRequest& request, const RoomSpec& spec) {
  FANFARE_CHECK(jsonrpc::is_valid_json(ok_message(request.id, 1)));
  FANFARE_CHECK(jsonrpc::is_valid_json(pong_message(request.id)));
  if (const auto* draw = std::get_if<DrawRequest>(&request.action)) {
    FANFARE_CHECK(has_pixel(spec, draw->pixel.x, draw->pixel.y) && draw->pixel.colour < spec.colour_end());
    FANFARE_CHECK(draw->proof.empty() || jsonrpc::is_valid_json(draw->proof));
  } else if (const auto* cursor = std::get_if<CursorRequest>(&request.action)) {
    FANFARE_CHECK(!cursor->position || has_pixel(spec, cursor->position->x, cursor->position->y));
  } else if (const auto* watch = std::get_if<WatchRequest>(&request.action)) {
    const Area& area = watch->area;
    FANFARE_CHECK(!area.is_empty() && has_pixel(spec, area.x + area.width - 1, area.y + area.height - 1));
  } else if (const auto* undo = std::get_if<UndoRequest>(&request.action)) {
    FANFARE_CHECK(undo->count >= 1 && undo->count <= kPixelsPerMessageMax);
  } else if (const auto* who = std::get_if<WhoRequest>(&request.action)) {
    FANFARE_CHECK(has_pixel(spec, who->place.x, who->place.y));
  } else if (const auto* restore = std::get_if<RestoreRequest>(&request.action)) {
    FANFARE_CHECK(restore->event.at_ms >= 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  // The WebSocket has checked it.
  if (size > 4096 || !ws::is_valid_utf8(bytes)) return 0;
  static const RoomSpec kTrueColour{.width = 1000, .height = 600};
  static const RoomSpec kPalette{.width = 65'536, .height = 1, .background = 0, .palette = {0, 0xFF0000}};
  for (const RoomSpec* spec : {&kTrueColour, &kPalette}) {
    const auto request = parse_json_request(as_text(bytes), *spec);
    if (request) {
      check(*request, *spec);
      continue;
    }
    FANFARE_CHECK(!request.error().message.empty());
    FANFARE_CHECK(jsonrpc::is_valid_json(error_message(request.error())));
  }
  return 0;
}
