#pragma once
// The JSON messages that the server sends: docs/canvas.md, field by field. canvas_state is in state_reader.h. No state;
// any thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "canvas/cursors.h"
#include "canvas/error.h"
#include "canvas/frames.h"
#include "canvas/limits.h"
#include "canvas/past.h"
#include "canvas/presence.h"
#include "canvas/tick.h"

namespace fanfare::canvas {

// "#rrggbb".
std::string colour_text(std::uint32_t rgb);

// `users`: Presence::list().
std::string welcome_message(const RoomSpec& spec, const Limits& limits, const Welcome& welcome,
                            const PresenceDelta& users);
std::string pixel_changed_message(const RoomSpec& spec, ChunkId chunk, const TickPixel& pixel);
std::string cursor_message(const CursorMove& move);
std::string user_joined_message(const Person& person);
std::string user_left_message(UserNumber user);
// `id`: raw JSON, empty: none; also below.
std::string users_message(std::string_view id, const UserPage& page);
std::string ok_message(std::string_view id, std::optional<std::uint64_t> count = {});
std::string pong_message(std::string_view id);
// A pixel of `who`, and the name of its user as far as it is known.
struct WhoEntry {
  PastPixel pixel;
  std::string name;
};
std::string history_message(const RoomSpec& spec, std::string_view id, std::uint16_t x, std::uint16_t y,
                            std::span<const WhoEntry> entries);
std::string error_message(const ProtocolError& error);

}  // namespace fanfare::canvas
