// The binary messages of canvas clients: each is accepted or ends in a documented error, and what is accepted is what
// the bytes say. Then the room takes it, and a watcher who reads the frames has the room's hash.
//
// The first byte selects the room: with a palette or with 24 bits. Then messages follow, each after two bytes of length.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "base/bytes.h"
#include "base/check.h"
#include "canvas/client_message.h"
#include "canvas/frames.h"
#include "canvas/room.h"
#include "canvas/wire.h"
#include "canvas_copy.h"

namespace {

using namespace fanfare;
using namespace fanfare::canvas;

RoomSpec spec_of(bool has_palette) {
  RoomSpec spec{.width = 600, .height = 20, .background = 0};
  if (has_palette) spec.palette = {0, 0xFF0000, 0x00FF00};
  return spec;
}

// The first message again, from what was parsed.
ByteVector written(const ClientMessage& message, std::size_t bytes_per_colour) {
  ByteVector out;
  WireWriter wire(out);
  if (const auto* pixels = std::get_if<PixelsMessage>(&message)) {
    wire.u8(pixels->proof.empty() ? 1 : 6);
    wire.varint(pixels->request);
    if (!pixels->proof.empty()) wire.text(pixels->proof);
    wire.varint(pixels->pixels.size());
    for (const Pixel& pixel : pixels->pixels) {
      wire.u16(pixel.x);
      wire.u16(pixel.y);
      wire.colour(pixel.colour, bytes_per_colour);
    }
  } else if (const auto* watch = std::get_if<WatchMessage>(&message)) {
    wire.u8(2);
    wire.u8(watch->area.x0);
    wire.u8(watch->area.y0);
    wire.u8(watch->area.x1);
    wire.u8(watch->area.y1);
    wire.u64(watch->epoch);
    wire.varint(watch->known.size());
    for (const KnownChunk& known : watch->known) {
      wire.u8(known.id.x);
      wire.u8(known.id.y);
      wire.varint(known.version);
    }
  } else if (const auto* fetch = std::get_if<FetchMessage>(&message)) {
    wire.u8(3);
    wire.u8(fetch->chunk.x);
    wire.u8(fetch->chunk.y);
  } else if (const auto* cursor = std::get_if<CursorMessage>(&message)) {
    wire.u8(4);
    if (cursor->position) {
      wire.u16(cursor->position->x);
      wire.u16(cursor->position->y);
    }
  } else if (const auto* undo = std::get_if<UndoMessage>(&message)) {
    wire.u8(5);
    wire.varint(undo->request);
    wire.varint(undo->count);
  }
  return out;
}

class World {
 public:
  explicit World(bool has_palette) : room_({.spec = spec_of(has_palette), .limits = limits()}) {
    user_ = room_.join({.identity = "a", .payer = "1"})->number;
  }

  void run(Bytes bytes) {
    const auto message = parse_client_message(bytes, room_.spec(), 4);
    if (!message) {
      const ErrorCode code = message.error().code;
      FANFARE_CHECK(code == ErrorCode::bad_message || code == ErrorCode::out_of_range);
      FANFARE_CHECK(!message.error().message.empty());
      return;
    }
    // Shorter if a varint has unused zeros.
    const std::size_t bytes_per_colour = room_.spec().bytes_per_colour();
    const ByteVector again = written(*message, bytes_per_colour);
    FANFARE_CHECK(again.size() <= bytes.size());
    const auto same = parse_client_message(again, room_.spec(), 4);
    FANFARE_CHECK(same && written(*same, bytes_per_colour) == again);
    if (again.size() == bytes.size()) FANFARE_CHECK(std::ranges::equal(again, bytes));
    take(*message);
  }

 private:
  static Limits limits() {
    return {.chunks_max = 2, .undo_pixels_max = 50, .history_bytes_per_chunk_max = 200};
  }

  void take(const ClientMessage& message) {
    const Actor actor{.user = user_, .payer = "1", .rights = {}};
    const Now now{.instant = Instant(std::chrono::hours(1)), .wall_ms = 1};
    if (const auto* pixels = std::get_if<PixelsMessage>(&message)) {
      const DrawResult result = room_.draw(actor, pixels->pixels, pixels->proof, now);
      FANFARE_CHECK(result.accepted <= pixels->pixels.size());
      FANFARE_CHECK(result.error.has_value() == (result.accepted < pixels->pixels.size()));
    } else if (const auto* watch = std::get_if<WatchMessage>(&message)) {
      static_cast<void>(room_.watch(watch->area, watched_, watch->epoch, watch->known));
      watched_ = watch->area;
    } else if (const auto* fetch = std::get_if<FetchMessage>(&message)) {
      FANFARE_CHECK(!room_.fetch(fetch->chunk).empty());
    } else if (const auto* undo = std::get_if<UndoMessage>(&message)) {
      FANFARE_CHECK(room_.undo(actor, undo->count, now).accepted <= undo->count);
    }
    for (const ChunkTick& chunk : room_.finish_tick().chunks) check(*room_.board().find(chunk.chunk), chunk);
  }

  // The hash is that of the colours.
  void check(const Chunk& chunk, const ChunkTick& tick) {
    std::vector<std::uint8_t> colours;
    chunk.copy_colours(colours);
    const RoomSpec& spec = room_.spec();
    const std::uint32_t columns = columns_of(spec, chunk.id());
    ChunkHash hash(spec.background_colour());
    WireReader wire(colours);
    for (std::uint32_t i = 0; !wire.at_end(); ++i) {
      const auto index = static_cast<std::uint16_t>(i / columns * kChunkSide + i % columns);
      hash.change(index, spec.background_colour(), *wire.colour(spec.bytes_per_colour()));
    }
    FANFARE_CHECK(hash.value() == tick.hash && hash.value() == chunk.hash());
    FANFARE_CHECK(chunk.version() == tick.version);
  }

  Room room_;
  UserNumber user_ = 0;
  std::optional<ChunkArea> watched_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  if (bytes.size() < 3 || bytes.size() > 4096) return 0;
  World world((bytes[0] & 1U) != 0);
  for_each_piece(bytes.subspan(1), [&](Bytes message) { world.run(message); });
  return 0;
}
