#pragma once
// The binary messages of clients: docs/canvas.md, "The binary protocol". No state; any thread.
//
//   0x01 PIXELS    | 01 | request varint | count varint | count x ( x u16 | y u16 | colour ) |
//   0x02 WATCH     | 02 | x0 u8 | y0 u8 | x1 u8 | y1 u8 | epoch u64 | count varint | count x ( cx u8 | cy u8 | version varint ) |
//   0x03 FETCH     | 03 | cx u8 | cy u8 |
//   0x04 CURSOR    | 04 | x u16 | y u16 |  or  | 04 |
//   0x05 UNDO      | 05 | request varint | count varint |
//   0x06 PROVEN    | 06 | request varint | proof text | count varint | count x ( x u16 | y u16 | colour ) |

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "canvas/catch_up.h"
#include "canvas/error.h"
#include "canvas/limits.h"
#include "canvas/place.h"

namespace fanfare::canvas {

struct PixelsMessage {
  std::uint32_t request = 0;
  // 1 to kPixelsPerMessageMax. They may be outside of the canvas or have colours that it does not have:
  // Room::draw() accepts those before the first such pixel.
  std::vector<Pixel> pixels;
  // Of PROVEN: a JSON value; empty: none.
  std::string proof = {};
};

struct WatchMessage {
  ChunkArea area;  // within the canvas, at most Limits::watched_chunks_max
  std::uint64_t epoch = 0;
  std::vector<KnownChunk> known;  // within `area`, each once. Only valid if `epoch` is the room's
};

struct FetchMessage {
  ChunkId chunk;  // in the canvas
};

struct CursorMessage {
  struct Position {
    std::uint16_t x = 0;
    std::uint16_t y = 0;
    bool operator==(const Position&) const = default;
  };
  std::optional<Position> position;  // in the canvas; empty: it has left
};

struct UndoMessage {
  std::uint32_t request = 0;
  std::uint32_t count = 1;  // 1 to kPixelsPerMessageMax
};

using ClientMessage = std::variant<PixelsMessage, WatchMessage, FetchMessage, CursorMessage, UndoMessage>;

// The error is bad_message or out_of_range, to be answered with ERROR. Sizes are checked before anything is allocated.
std::expected<ClientMessage, ProtocolError> parse_client_message(Bytes message, const RoomSpec& spec,
                                                                 std::size_t watched_chunks_max);

}  // namespace fanfare::canvas
