#pragma once
// Whether a database is a file of events, and what was written to it.

#include <expected>
#include <string>
#include <string_view>

#include "store/statement.h"

namespace fanfare::store {

// The error of a file that is not what was written.
Problem damage(std::string_view what);

// Its application id, tables and version. A file of another program is no damage.
std::expected<void, Problem> check_owner(sqlite3* database, const std::string& path);
// SQLite's structure, and every row: checksums, and events without a gap up to the last one of their topic.
std::expected<void, Problem> check_content(sqlite3* database);
// Whether a file that SQLite cannot read was one: its application id is where SQLite has it, or its mark is beside it.
bool was_event_file(const std::string& path);

}  // namespace fanfare::store
