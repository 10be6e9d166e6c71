// The state of a room as bytes, for the instances that share it.
//
//   | last tick varint | pixels varint | users (Users::save) | cursors' colours | undo log | bans | chunks |
//   chunk: | x u8 | y u8 | version varint | is blank u8 | colours, as Chunk::copy_colours() has them | authors varint each |
#include <limits>
#include <utility>

#include "base/check.h"
#include "canvas/room.h"

namespace fanfare::canvas {
namespace {

void write_ban(WireWriter& out, const ModerationEvent& ban) {
  out.varint(ban.moderator);
  out.varint(ban.user);
  out.u64(static_cast<std::uint64_t>(ban.until_ms));
  out.text(ban.identity);
  out.varint(ban.payers.size());
  for (const std::string& payer : ban.payers) out.text(payer);
}

std::optional<ModerationEvent> read_ban(WireReader& in) {
  const auto moderator = in.varint32();
  const auto user = in.varint32();
  const auto until = in.u64();
  const auto identity = in.text();
  const auto payers = in.varint32();
  if (!moderator || !user || !until || !identity || !payers) return std::nullopt;
  ModerationEvent ban{.kind = ModerationEvent::Kind::ban,
                      .moderator = *moderator,
                      .user = *user,
                      .until_ms = static_cast<std::int64_t>(*until),
                      .identity = std::string(*identity)};
  for (std::uint32_t i = 0; i < *payers; ++i) {
    const auto payer = in.text();
    if (!payer) return std::nullopt;
    ban.payers.emplace_back(*payer);
  }
  return ban;
}

void write_chunk(WireWriter& out, const RoomSpec& spec, const Chunk& chunk,
                 std::vector<std::uint8_t>& colours) {
  const ChunkId id = chunk.id();
  out.u8(id.x);
  out.u8(id.y);
  out.varint(chunk.version());
  out.u8(chunk.is_blank() ? 1 : 0);
  if (chunk.is_blank()) return;
  chunk.copy_colours(colours);
  out.bytes(colours);
  for (std::uint32_t y = 0; y < rows_of(spec, id); ++y) {
    for (std::uint32_t x = 0; x < columns_of(spec, id); ++x)
      out.varint(chunk.author_at(static_cast<std::uint16_t>((y * kChunkSide) + x)));
  }
}

}  // namespace

void Room::save_state(WireWriter& out) const {
  FANFARE_CHECK(restores_.is_empty());
  out.varint(last_tick_);
  out.varint(pixels_total_);
  users_.save(out);
  users_.for_each_connected([&](const User& user) { out.rgb(presence_.find(user.number)->colour); });
  undo_.save(out);
  out.varint(banned_.size());
  for (const auto& [user, ban] : banned_) write_ban(out, ban);
  const std::vector<ChunkId> chunks = board_.chunks();
  out.varint(chunks.size());
  std::vector<std::uint8_t> colours;
  for (const ChunkId id : chunks) write_chunk(out, spec(), *board_.find(id), colours);
}

bool Room::load_state(WireReader& in) {
  const auto last_tick = in.varint64();
  const auto pixels = in.varint64();
  if (!last_tick || !pixels || !users_.load(in)) return false;
  last_tick_ = *last_tick;
  pixels_total_ = *pixels;
  bool is_whole = true;
  users_.for_each_connected([&](const User& user) {
    const auto colour = in.rgb();
    is_whole = is_whole && colour.has_value();
    presence_.join({.user = user.number, .name = user.name, .colour = colour.value_or(0)});
  });
  presence_.forget_news();
  // A stroke that will be drawn must not follow itself.
  if (!is_whole || !undo_.load(in, spec()) || users_.last_draw_max() >= undo_.next()) return false;
  const auto bans = in.varint32();
  if (!bans) return false;
  for (std::uint32_t i = 0; i < *bans; ++i) {
    const auto ban = read_ban(in);
    if (!ban) return false;
    // Also those that have ended, as the room that was saved has them.
    ban_again(*ban, std::numeric_limits<std::int64_t>::min());
  }
  const auto chunks = in.varint32();
  if (!chunks) return false;
  for (std::uint32_t i = 0; i < *chunks; ++i) {
    if (!load_chunk(in)) return false;
  }
  return true;
}

bool Room::load_chunk(WireReader& in) {
  const auto x = in.u8();
  const auto y = in.u8();
  const auto version = in.varint64();
  const auto is_blank = in.u8();
  if (!x || !y || !version || !is_blank) return false;
  const ChunkId id{.x = *x, .y = *y};
  if (!has_chunk(spec(), id)) return false;
  const std::size_t count = std::size_t{rows_of(spec(), id)} * columns_of(spec(), id);
  ByteVector colours;
  WireWriter out(colours);
  std::vector<UserNumber> authors(count, 0);
  for (std::size_t i = 0; i < count; ++i) {
    const auto colour =
        *is_blank != 0 ? std::optional(spec().background_colour()) : in.colour(spec().bytes_per_colour());
    if (!colour) return false;
    out.colour(*colour, spec().bytes_per_colour());
  }
  for (std::size_t i = 0; i < count && *is_blank == 0; ++i) {
    const auto author = in.varint32();
    if (!author) return false;
    authors[i] = *author;
  }
  return board_.load(id, *version, colours, authors);
}

}  // namespace fanfare::canvas
