#pragma once
// The binary messages of the server: docs/canvas.md, "Server to client". Each function appends one message to `out`,
// without the WebSocket header. No state; any thread.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "canvas/catch_up.h"
#include "canvas/cursors.h"
#include "canvas/error.h"
#include "canvas/presence.h"
#include "canvas/tick.h"

namespace fanfare::canvas {

using ByteVector = std::vector<std::uint8_t>;

inline constexpr std::uint8_t kProtocolVersion = 1;
inline constexpr std::uint8_t kWelcomeOp = 0x81;
inline constexpr std::uint8_t kChunkOp = 0x82;
inline constexpr std::uint8_t kCurrentOp = 0x83;
inline constexpr std::uint8_t kTickOp = 0x84;
inline constexpr std::uint8_t kAckOp = 0x85;
inline constexpr std::uint8_t kCursorsOp = 0x86;
inline constexpr std::uint8_t kPresenceOp = 0x87;
inline constexpr std::uint8_t kErrorOp = 0x88;

// What a connection may do. Bits of WELCOME's permissions.
struct Rights {
  bool draw = true;
  bool moderate = false;

  bool operator==(const Rights&) const = default;
};

struct Welcome {
  std::uint64_t epoch = 0;
  std::int64_t now_ms = 0;  // since 1970-01-01 UTC
  std::string user_id;
  UserNumber user = 0;
  Rights rights;
};
void append_welcome(ByteVector& out, const RoomSpec& spec, const Limits& limits, const Welcome& welcome);

// `deflated`: the colours (RFC 1951); empty for a chunk that nobody has drawn in.
void append_chunk(ByteVector& out, ChunkId id, Version version, std::uint64_t hash, Bytes deflated);

void append_current(ByteVector& out, std::span<const CurrentChunk> chunks);

// A section of a TICK. `pixels`: sorted by index, each once, not empty.
void append_section(ByteVector& out, ChunkId id, Version version, std::uint64_t hash,
                    std::span<const TickPixel> pixels, std::size_t bytes_per_colour);
// The start of a TICK; ChunkTick::section follow.
void append_tick_start(ByteVector& out, std::uint64_t number);
// A whole TICK with these sections: a complete WebSocket message (ws::encode_message), shared by all who watch them.
SharedBytes tick_frame(std::uint64_t number, std::span<const SharedBytes> sections);

// ProtocolError has what `status` and `retry_after` say; `accepted` pixels came before it.
void append_ack(ByteVector& out, std::uint32_t request, std::uint32_t accepted,
                const std::optional<ProtocolError>& error);
void append_error(ByteVector& out, const ProtocolError& error);

void append_cursors(ByteVector& out, std::span<const CursorMove> moves);
void append_presence(ByteVector& out, const PresenceDelta& delta);

}  // namespace fanfare::canvas
