#pragma once
// The JSON messages of clients: docs/canvas.md, "Client to server". No state; any thread.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "canvas/client_message.h"
#include "canvas/error.h"
#include "canvas/place.h"

namespace fanfare::canvas {

struct DrawRequest {
  Pixel pixel;
  std::string proof;  // raw JSON; empty: none
};
struct CursorRequest {
  std::optional<CursorMessage::Position> position;  // empty: it has left
};
struct WatchRequest {
  Area area;  // not empty
};
struct UndoRequest {
  std::uint32_t count = 1;  // 1 to kPixelsPerMessageMax
};
struct UsersRequest {
  UserNumber after = 0;  // those with a greater number
};
struct PingRequest {};
struct AuthenticateRequest {
  std::string token;
};
struct WhoRequest {
  CursorMessage::Position place;
};
// undo_user, undo_area and rollback: for restore_for() and Room::restore(). Without moderator.
struct RestoreRequest {
  ModerationEvent event;
};
struct BanRequest {
  UserNumber user = 0;
  std::uint32_t seconds = 0;  // 0: it ends
};

struct JsonRequest {
  std::string id;  // raw JSON; empty: none
  std::variant<DrawRequest, CursorRequest, WatchRequest, UndoRequest, UsersRequest, PingRequest,
               AuthenticateRequest, WhoRequest, RestoreRequest, BanRequest>
      action;
};

// Every place is in the canvas, and every colour is one of it. An error has the id, as far as it could be read. `text`
// must be valid UTF-8 and at most Limits::message_bytes_max.
std::expected<JsonRequest, ProtocolError> parse_json_request(std::string_view text, const RoomSpec& spec);

}  // namespace fanfare::canvas
