#pragma once
// The tables of a room's file, and the texts in them.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "canvas/spec.h"
#include "store/statement.h"

namespace fanfare::canvasstore {

inline constexpr std::int64_t kApplicationId = 1'178'684'995;  // "FANC"

// Whether the database has no table yet.
std::expected<bool, store::Problem> is_empty(sqlite3* database, const std::string& path);
// Makes the tables in an empty database. Error: it is not the file of a room, is damaged, or has a newer format.
std::expected<void, store::Problem> check_schema(sqlite3* database, const std::string& path);

// "1000x1000 #ffffff" and the colours of a palette, each with a space before it. A longer palette has a longer text.
std::string spec_text(const canvas::RoomSpec& spec);
std::optional<canvas::RoomSpec> parse_spec(std::string_view text);

// Each ends with a line feed.
std::vector<std::string> lines_of(std::string_view text);

}  // namespace fanfare::canvasstore
