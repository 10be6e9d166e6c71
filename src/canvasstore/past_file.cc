#include "canvasstore/past_file.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "canvasstore/row_format.h"

namespace fanfare::canvasstore {

using canvas::Area;
using canvas::kChunkPixels;
using canvas::kChunkSide;
using canvas::TickPixel;
using canvasserver::LoggedUser;
using canvasserver::LogPixel;
using canvasserver::StoredChunk;
using store::Problem;
using store::Statement;

namespace {

// Resets a statement when a function ends, so that it holds no view of the database.
class Use {
 public:
  explicit Use(Statement& statement) : statement_(statement) {}
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() { statement_.reset(); }
  Statement* operator->() const { return &statement_; }

 private:
  Statement& statement_;
};

bool touches(const Area& area, canvas::ChunkId chunk) {
  return !area.is_empty() && canvas::ChunkArea::of(area).contains(chunk);
}

LogPixel placed(std::int64_t chunk, const TickPixel& pixel, std::int64_t time_ms, std::uint64_t tick) {
  return {.time_ms = time_ms,
          .x = canvas::x_of(chunk_place(chunk), pixel.index),
          .y = canvas::y_of(chunk_place(chunk), pixel.index),
          .colour = pixel.colour,
          .user = pixel.user,
          .tick = tick};
}

Problem unwanted() {
  return {.message = std::string(canvasserver::kPastUnwanted)};
}

std::unexpected<std::string> text_of(const Problem& problem) {
  return std::unexpected(problem.message);
}

}  // namespace

Problem damage(std::string_view what) {
  return {.message = joined({"the file of the room is damaged: ", what}), .is_damage = true};
}

struct PastFile::Statements {
  explicit Statements(sqlite3* database) : db(database) {}
  sqlite3* db;
  Statement tick_at{db, "SELECT tick FROM ticks WHERE time <= ?1 ORDER BY time DESC, tick DESC LIMIT 1"};
  Statement tick_from{db,
                      "SELECT coalesce((SELECT tick FROM ticks WHERE time >= ?1 ORDER BY time, tick LIMIT 1),"
                      " (SELECT max(tick) + 1 FROM ticks), 1)"};
  Statement taken_back{
      db, "SELECT tick, checksum, data FROM taken_back WHERE chunk = ?1 AND tick >= ?2 ORDER BY tick"};
  Statement span{
      db,
      "SELECT (SELECT time FROM ticks WHERE tick >= coalesce((SELECT CAST(value AS INTEGER) FROM state"
      " WHERE key = 'past_from'), 0) ORDER BY tick LIMIT 1),"
      " (SELECT time FROM ticks ORDER BY tick DESC LIMIT 1),"
      " NOT EXISTS (SELECT 1 FROM state WHERE key = 'past_from')"};
  Statement chunks{db, "SELECT chunk FROM chunks ORDER BY chunk"};
  Statement snapshot{db,
                     "SELECT tick, version, checksum, colours, users FROM snapshots"
                     " WHERE chunk = ?1 AND tick <= ?2 ORDER BY tick DESC LIMIT 1"};
  Statement changes{db,
                    "SELECT tick, version, checksum, data FROM changes"
                    " WHERE chunk = ?1 AND tick > ?2 AND tick <= ?3 ORDER BY tick"};
  Statement changes_back{db,
                         "SELECT changes.tick, version, checksum, data, time FROM changes, ticks"
                         " WHERE chunk = ?1 AND ticks.tick = changes.tick ORDER BY changes.tick DESC"};
  Statement changes_timed{db,
                          "SELECT changes.tick, version, checksum, data, time FROM changes, ticks"
                          " WHERE chunk = ?1 AND changes.tick >= ?2 AND changes.tick <= ?3"
                          " AND ticks.tick = changes.tick ORDER BY changes.tick"};
  Statement user{db, "SELECT id, name FROM users WHERE number = ?1"};
};

PastFile::PastFile(sqlite3* database, const canvas::RoomSpec& spec)
    : database_(database), spec_(spec), statements_(std::make_unique<Statements>(database)) {}

PastFile::~PastFile() = default;

Problem PastFile::failed(std::string_view doing) const {
  return store::problem_of(database_, doing);
}

PastFile::Result<PastFile::Span> PastFile::span() {
  const Use find(statements_->span);
  if (!find->step()) return text_of(failed("cannot read the log"));
  return Span{.first_ms = find->number(0), .last_ms = find->number(1), .is_complete = find->number(2) != 0};
}

std::expected<std::uint64_t, Problem> PastFile::tick_at(std::int64_t at_ms) {
  const Use find(statements_->tick_at);
  find->bind(1, at_ms);
  if (find->step()) return find->unsigned_number(0);
  if (find->failed()) return std::unexpected(failed("cannot read the log"));
  return 0;
}

std::expected<std::vector<std::int64_t>, Problem> PastFile::chunks() {
  const Use find(statements_->chunks);
  std::vector<std::int64_t> chunks;
  while (find->step()) chunks.push_back(find->number(0));
  if (find->failed()) return std::unexpected(failed("cannot read the chunks"));
  return chunks;
}

// Returns the tick of the snapshot; 0: there is none, and the chunk is blank.
std::expected<std::uint64_t, Problem> PastFile::read_snapshot(std::int64_t chunk, std::uint64_t tick,
                                                              bool with_users, StoredChunk& to) {
  const Use find(statements_->snapshot);
  find->bind(1, chunk).bind(2, tick);
  if (!find->step()) {
    if (find->failed()) return std::unexpected(failed("cannot read a snapshot"));
    to.pixels.colours.assign(kChunkPixels, spec_.background_colour());
    if (with_users) to.pixels.users.assign(kChunkPixels, 0);
    return 0;
  }
  const std::uint64_t at = find->unsigned_number(0);
  to.version = find->unsigned_number(1);
  if (find->number(2) != row_checksum(chunk, at, to.version, find->blob(3), find->blob(4))) {
    return std::unexpected(damage("a snapshot"));
  }
  auto colours = unpack_colours(find->blob(3), spec_.has_palette());
  if (!colours) return std::unexpected(damage("a snapshot"));
  to.pixels.colours = *std::move(colours);
  if (!with_users) return at;
  auto users = unpack_users(find->blob(4));
  if (!users) return std::unexpected(damage("a snapshot"));
  to.pixels.users = *std::move(users);
  return at;
}

// True: there were some.
std::expected<bool, Problem> PastFile::apply_changes(std::int64_t chunk, std::uint64_t after,
                                                     std::uint64_t until, StoredChunk& to) {
  const Use find(statements_->changes);
  find->bind(1, chunk).bind(2, after).bind(3, until);
  bool is_any = false;
  const bool with_users = !to.pixels.users.empty();
  while (find->step()) {
    if (!is_wanted()) return std::unexpected(unwanted());
    const Bytes data = find->blob(3);
    const std::uint64_t version = find->unsigned_number(1);
    if (find->number(2) != row_checksum(chunk, find->unsigned_number(0), version, data)) {
      return std::unexpected(damage("a row of the log"));
    }
    // Each row is one version of its chunk.
    if (version != to.version + 1) return std::unexpected(damage("a row of the log is missing"));
    to.version = version;
    const bool is_sound = decode_pixels(data, spec_.has_palette(), [&](const TickPixel& pixel) {
      to.pixels.colours[pixel.index] = pixel.colour;
      if (with_users) to.pixels.users[pixel.index] = pixel.user;
    });
    if (!is_sound) return std::unexpected(damage("a row of the log"));
    is_any = true;
  }
  if (find->failed()) return std::unexpected(failed("cannot read the log"));
  return is_any;
}

std::expected<std::optional<StoredChunk>, Problem> PastFile::chunk_at(std::int64_t chunk, std::uint64_t tick,
                                                                      bool with_users) {
  StoredChunk there{.chunk = chunk_place(chunk)};
  const auto snapshot = read_snapshot(chunk, tick, with_users, there);
  if (!snapshot) return std::unexpected(snapshot.error());
  const auto is_any = apply_changes(chunk, *snapshot, tick, there);
  if (!is_any) return std::unexpected(is_any.error());
  if (*snapshot == 0 && !*is_any) return std::nullopt;
  return there;
}

PastFile::Result<std::vector<StoredChunk>> PastFile::chunks_at(const Area& area, std::int64_t at_ms,
                                                               bool with_users) {
  const auto known = span();
  if (!known) return std::unexpected(known.error());
  if (!known->is_complete && at_ms < known->first_ms) {
    return std::unexpected(joined({"the log does not go back so far, but to ",
                                   std::to_string(known->first_ms), ": it was longer than historyBytesMax"}));
  }
  const auto tick = tick_at(at_ms);
  if (!tick) return text_of(tick.error());
  const auto all = chunks();
  if (!all) return text_of(all.error());
  std::vector<StoredChunk> found;
  if (*tick == 0) return found;
  for (const std::int64_t chunk : *all) {
    if (!touches(area, chunk_place(chunk))) continue;
    if (!is_wanted()) return text_of(unwanted());
    auto there = chunk_at(chunk, *tick, with_users);
    if (!there) return text_of(there.error());
    if (*there) found.push_back(**std::move(there));
  }
  return found;
}

PastFile::Result<std::vector<LogPixel>> PastFile::drawn_at(std::uint32_t x, std::uint32_t y,
                                                           std::size_t count_max) {
  const std::int64_t chunk = std::int64_t{y / kChunkSide} * 256 + x / kChunkSide;
  const auto index = static_cast<std::uint16_t>(y % kChunkSide * kChunkSide + x % kChunkSide);
  const Use find(statements_->changes_back);
  find->bind(1, chunk);
  std::vector<LogPixel> found;
  std::vector<LogPixel> of_row;
  while (found.size() < count_max && find->step()) {
    if (!is_wanted()) return text_of(unwanted());
    of_row.clear();
    const bool is_sound = decode_pixels(find->blob(3), spec_.has_palette(), [&](const TickPixel& pixel) {
      if (pixel.index == index)
        of_row.push_back(placed(chunk, pixel, find->number(4), find->unsigned_number(0)));
    });
    if (!is_sound) return text_of(damage("a row of the log"));
    found.insert(found.end(), of_row.rbegin(), of_row.rend());
  }
  if (find->failed()) return text_of(failed("cannot read the log"));
  if (found.size() > count_max) found.resize(count_max);
  return found;
}

// False: the visitor wants no more.
std::expected<bool, Problem> PastFile::visit_chunk(std::int64_t chunk,
                                                   std::pair<std::uint64_t, std::uint64_t> ticks,
                                                   const Area& area, std::optional<std::uint32_t> user,
                                                   const Visit& visit) {
  const Use find(statements_->changes_timed);
  find->bind(1, chunk).bind(2, ticks.first).bind(3, ticks.second);
  bool goes_on = true;
  while (goes_on && find->step()) {
    if (!is_wanted()) return std::unexpected(unwanted());
    const bool is_sound = decode_pixels(find->blob(3), spec_.has_palette(), [&](const TickPixel& pixel) {
      if (!goes_on || (user && pixel.user != *user)) return;
      const LogPixel past = placed(chunk, pixel, find->number(4), find->unsigned_number(0));
      if (area.contains(past.x, past.y)) goes_on = visit(past);
    });
    if (!is_sound) return std::unexpected(damage("a row of the log"));
  }
  if (find->failed()) return std::unexpected(failed("cannot read the log"));
  return goes_on;
}

PastFile::Result<std::uint64_t> PastFile::tick_from(std::int64_t at_ms) {
  const Use find(statements_->tick_from);
  find->bind(1, at_ms);
  if (!find->step()) return text_of(failed("cannot read the log"));
  return find->unsigned_number(0);
}

PastFile::Result<std::vector<canvasserver::LogTakenBack>> PastFile::taken_back(canvas::ChunkId chunk,
                                                                               std::uint64_t from) {
  const Use find(statements_->taken_back);
  find->bind(1, chunk_number(chunk)).bind(2, from);
  std::vector<canvasserver::LogTakenBack> found;
  while (find->step()) {
    if (!is_wanted()) return text_of(unwanted());
    const Bytes data = find->blob(2);
    const std::uint64_t tick = find->unsigned_number(0);
    const bool is_sound = find->number(1) == row_checksum(chunk_number(chunk), tick, 0, data) &&
                          decode_taken_back(data, chunk, [&](const canvas::TakenBack& one) {
                            found.push_back({.tick = tick, .what = one});
                          });
    if (!is_sound) return text_of(damage("a row of what was taken back"));
  }
  if (find->failed()) return text_of(failed("cannot read what was taken back"));
  return found;
}

// Chunk by chunk; within a chunk in the order in which they were drawn.
PastFile::Result<void> PastFile::visit(const Area& area, std::int64_t since_ms, std::int64_t until_ms,
                                       std::optional<std::uint32_t> user, const Visit& visit) {
  const auto first = tick_from(since_ms);
  if (!first) return std::unexpected(first.error());
  const auto last = tick_at(until_ms);
  if (!last) return text_of(last.error());
  const std::pair<std::uint64_t, std::uint64_t> ticks{*first, *last};
  const auto all = chunks();
  if (!all) return text_of(all.error());
  for (const std::int64_t chunk : *all) {
    if (!touches(area, chunk_place(chunk))) continue;
    const auto goes_on = visit_chunk(chunk, ticks, area, user, visit);
    if (!goes_on) return text_of(goes_on.error());
    if (!*goes_on) break;
  }
  return {};
}

PastFile::Result<std::vector<LoggedUser>> PastFile::users(const std::vector<std::uint32_t>& numbers) {
  std::vector<LoggedUser> found;
  for (const std::uint32_t number : numbers) {
    const Use find(statements_->user);
    find->bind(1, std::uint64_t{number});
    if (find->step()) {
      found.push_back(
          {.number = number, .id = std::string(find->text(0)), .name = std::string(find->text(1))});
    } else if (find->failed()) {
      return text_of(failed("cannot read the users"));
    }
  }
  return found;
}

}  // namespace fanfare::canvasstore
