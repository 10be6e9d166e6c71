#include "canvas/frames.h"

#include <algorithm>

#include "base/check.h"
#include "canvas/wire.h"
#include "ws/encode.h"

namespace fanfare::canvas {
namespace {

constexpr std::uint8_t kMayDraw = 1;
constexpr std::uint8_t kMayModerate = 2;

std::uint64_t ceil_ms(Duration duration) {
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

// Fields of 32 bits.
std::uint64_t at_most_32_bits(std::uint64_t value) {
  return std::min<std::uint64_t>(value, 0xFFFF'FFFFU);
}

void write_chunk_id(WireWriter& wire, ChunkId id) {
  wire.u8(id.x);
  wire.u8(id.y);
}

void write_rate(WireWriter& wire, const TokenRate& rate) {
  wire.varint(at_most_32_bits(rate.per_second));
  wire.varint(at_most_32_bits(rate.burst == 0 ? rate.per_second : rate.burst));
}

}  // namespace

void append_welcome(ByteVector& out, const RoomSpec& spec, const Limits& limits, const Welcome& welcome) {
  WireWriter wire(out);
  wire.u8(kWelcomeOp);
  wire.u8(kProtocolVersion);
  wire.u64(welcome.epoch);
  wire.u64(static_cast<std::uint64_t>(welcome.now_ms));
  wire.varint(spec.width);
  wire.varint(spec.height);
  wire.varint(ceil_ms(limits.tick_min));
  wire.rgb(spec.background);
  wire.varint(spec.palette.size());
  for (const std::uint32_t rgb : spec.palette) wire.rgb(rgb);
  wire.text(welcome.user_id);
  wire.varint(welcome.user);
  write_rate(wire, limits.pixels_per_user);
  wire.varint(at_most_32_bits(ceil_ms(limits.cooldown)));
  wire.u8(static_cast<std::uint8_t>((welcome.rights.draw ? kMayDraw : 0U) |
                                    (welcome.rights.moderate ? kMayModerate : 0U)));
}

void append_chunk(ByteVector& out, ChunkId id, Version version, std::uint64_t hash, Bytes deflated) {
  WireWriter wire(out);
  wire.u8(kChunkOp);
  write_chunk_id(wire, id);
  wire.varint(version);
  wire.u64(hash);
  wire.bytes(deflated);
}

void append_current(ByteVector& out, std::span<const CurrentChunk> chunks) {
  WireWriter wire(out);
  wire.u8(kCurrentOp);
  wire.varint(chunks.size());
  for (const CurrentChunk& chunk : chunks) {
    write_chunk_id(wire, chunk.id);
    wire.varint(chunk.version);
    wire.u64(chunk.hash);
  }
}

void append_section(ByteVector& out, ChunkId id, Version version, std::uint64_t hash,
                    std::span<const TickPixel> pixels, std::size_t bytes_per_colour) {
  FANFARE_CHECK(!pixels.empty());
  std::vector<std::pair<Colour, std::uint16_t>> sorted;
  sorted.reserve(pixels.size());
  for (const TickPixel& pixel : pixels) sorted.emplace_back(pixel.colour, pixel.index);
  std::ranges::sort(sorted);
  std::size_t groups = 1;
  for (std::size_t i = 1; i < sorted.size(); ++i) groups += sorted[i].first != sorted[i - 1].first ? 1 : 0;

  WireWriter wire(out);
  write_chunk_id(wire, id);
  wire.varint(version);
  wire.u64(hash);
  wire.varint(groups);
  for (std::size_t begin = 0; begin < sorted.size();) {
    std::size_t end = begin + 1;
    while (end < sorted.size() && sorted[end].first == sorted[begin].first) ++end;
    wire.colour(sorted[begin].first, bytes_per_colour);
    wire.varint(end - begin);
    wire.varint(sorted[begin].second);
    for (std::size_t i = begin + 1; i < end; ++i) wire.varint(sorted[i].second - sorted[i - 1].second);
    begin = end;
  }
}

void append_tick_start(ByteVector& out, std::uint64_t number) {
  WireWriter wire(out);
  wire.u8(kTickOp);
  wire.varint(number);
}

SharedBytes tick_frame(std::uint64_t number, std::span<const SharedBytes> sections) {
  std::size_t size = 11;
  for (const SharedBytes& section : sections) size += section.size();
  ByteVector message;
  message.reserve(size);
  append_tick_start(message, number);
  for (const SharedBytes& section : sections) {
    message.insert(message.end(), section.view().begin(), section.view().end());
  }
  return ws::encode_message(ws::Opcode::binary, message);
}

void append_ack(ByteVector& out, std::uint32_t request, std::uint32_t accepted,
                const std::optional<ProtocolError>& error) {
  WireWriter wire(out);
  wire.u8(kAckOp);
  wire.varint(request);
  wire.varint(accepted);
  wire.u8(error ? status_of(error->code) : 0);
  wire.varint(error && error->retry_after ? at_most_32_bits(ceil_ms(*error->retry_after)) : 0);
}

void append_error(ByteVector& out, const ProtocolError& error) {
  WireWriter wire(out);
  wire.u8(kErrorOp);
  wire.u8(status_of(error.code));
  wire.text(error.message);
}

void append_cursors(ByteVector& out, std::span<const CursorMove> moves) {
  WireWriter wire(out);
  wire.u8(kCursorsOp);
  const auto left = static_cast<std::size_t>(std::ranges::count(moves, true, &CursorMove::has_left));
  wire.varint(moves.size() - left);
  for (const CursorMove& move : moves) {
    if (move.has_left) continue;
    wire.varint(move.user);
    wire.u16(move.x);
    wire.u16(move.y);
  }
  wire.varint(left);
  for (const CursorMove& move : moves) {
    if (move.has_left) wire.varint(move.user);
  }
}

void append_presence(ByteVector& out, const PresenceDelta& delta) {
  WireWriter wire(out);
  wire.u8(kPresenceOp);
  wire.varint(delta.total);
  wire.varint(delta.joined.size());
  for (const Person& person : delta.joined) {
    wire.varint(person.user);
    wire.text(user_id_of(person.user));
    wire.text(person.name);
    wire.rgb(person.colour);
  }
  wire.varint(delta.left.size());
  for (const UserNumber user : delta.left) wire.varint(user);
}

}  // namespace fanfare::canvas
