#include "canvasstore/room_schema.h"

#include <sqlite3.h>

#include <array>
#include <charconv>

#include "base/text.h"
#include "canvasstore/past_file.h"

namespace fanfare::canvasstore {

using store::Problem;
using store::Statement;

namespace {

constexpr std::int64_t kFormat = 1;

constexpr const char* kSchema =
    "BEGIN;"
    "CREATE TABLE ticks (tick INTEGER PRIMARY KEY, time INTEGER NOT NULL) STRICT;"
    "CREATE INDEX ticks_time ON ticks (time);"
    "CREATE TABLE changes (chunk INTEGER NOT NULL, tick INTEGER NOT NULL, version INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (chunk, tick)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE snapshots (chunk INTEGER NOT NULL, tick INTEGER NOT NULL, version INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, colours BLOB NOT NULL, users BLOB NOT NULL, UNIQUE (chunk, tick)) STRICT;"
    "CREATE TABLE chunks (chunk INTEGER PRIMARY KEY) STRICT;"
    "CREATE TABLE events (tick INTEGER NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " moderator INTEGER NOT NULL, user INTEGER NOT NULL, x INTEGER NOT NULL, y INTEGER NOT NULL,"
    " width INTEGER NOT NULL, height INTEGER NOT NULL, at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,"
    " identity TEXT NOT NULL, payers TEXT NOT NULL, PRIMARY KEY (tick, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE users (number INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL) STRICT;"
    "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "PRAGMA application_id = 1178684995; PRAGMA user_version = 1;"
    "COMMIT;";

// Files of earlier versions have none.
constexpr const char* kTakenBack =
    "CREATE TABLE IF NOT EXISTS taken_back (chunk INTEGER NOT NULL, tick INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (chunk, tick)) STRICT, WITHOUT ROWID;";

std::string hex_colour(std::uint32_t rgb) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "#";
  for (int shift = 20; shift >= 0; shift -= 4) text += kDigits[rgb >> static_cast<unsigned>(shift) & 0xfU];
  return text;
}

// Takes a number from the front.
std::optional<std::uint32_t> take_number(std::string_view& text, int base) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::expected<void, Problem> execute(sqlite3* database, const char* text, const std::string& path) {
  if (sqlite3_exec(database, text, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return std::unexpected(store::problem_of(database, joined({"cannot write ", path})));
}

bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

std::optional<std::uint32_t> take_colour(std::string_view& text) {
  return take(text, " #") ? take_number(text, 16) : std::nullopt;
}

}  // namespace

std::expected<bool, Problem> is_empty(sqlite3* database, const std::string& path) {
  Statement tables(database, "SELECT count(*) FROM sqlite_schema");
  if (!tables.step()) return std::unexpected(store::problem_of(database, joined({"cannot read ", path})));
  return tables.number(0) == 0;
}

std::expected<void, Problem> check_schema(sqlite3* database, const std::string& path) {
  Statement id(database, "PRAGMA application_id");
  Statement version(database, "PRAGMA user_version");
  Statement tables(database, "SELECT count(*) FROM sqlite_schema");
  if (!id.step() || !version.step() || !tables.step()) {
    return std::unexpected(store::problem_of(database, joined({"cannot read ", path})));
  }
  if (tables.number(0) == 0) {
    id.reset();
    version.reset();
    tables.reset();
    if (auto made = execute(database, kSchema, path); !made) return made;
    return execute(database, kTakenBack, path);
  }
  if (id.number(0) != kApplicationId) {
    return std::unexpected(
        Problem{.message = joined({path, " is not the file of a canvas room, and is left alone"})});
  }
  if (version.number(0) > kFormat)
    return std::unexpected(Problem{.message = joined({path, " has a newer format"})});
  return execute(database, kTakenBack, path);
}

std::string spec_text(const canvas::RoomSpec& spec) {
  std::string text = joined({std::to_string(spec.width), "x", std::to_string(spec.height), " ",
                             hex_colour(spec.background), spec.has_palette() ? " palette" : ""});
  for (const std::uint32_t colour : spec.palette) text.append(" ").append(hex_colour(colour));
  return text;
}

std::optional<canvas::RoomSpec> parse_spec(std::string_view text) {
  canvas::RoomSpec spec;
  const auto width = take_number(text, 10);
  if (!width || !take(text, "x")) return std::nullopt;
  const auto height = take_number(text, 10);
  const auto background = height ? take_colour(text) : std::nullopt;
  if (!background) return std::nullopt;
  spec.width = *width;
  spec.height = *height;
  spec.background = *background;
  if (take(text, " palette")) {
    while (const auto colour = take_colour(text)) spec.palette.push_back(*colour);
  }
  if (!text.empty() || canvas::problem_with(spec)) return std::nullopt;
  return spec;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace fanfare::canvasstore
