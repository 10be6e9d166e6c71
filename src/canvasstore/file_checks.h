#pragma once
// Whether a path can be the file of a room, before and after SQLite has opened it.

#include <expected>
#include <string>

#include "store/commit_mark.h"
#include "store/statement.h"

namespace fanfare::canvasstore {

// What SQLite names the room's files after: absolute, without symbolic links. Also of a file that does not exist. Empty
// stays empty.
std::string resolved_path(const std::string& path);
// Creates the file if it does not exist. If the mark shows that it had data before, a missing or empty file is an error.
std::expected<void, store::Problem> make_file(const std::string& path, const store::CommitMark& mark);
// The file has no room in it: an error, if the mark shows that it had one.
std::expected<void, store::Problem> check_unmarked(const std::string& path, const store::CommitMark& mark);
// The structure of all pages: a row that SQLite does not find any more would have no checksum to fail.
std::expected<void, store::Problem> check_pages(sqlite3* database);

}  // namespace fanfare::canvasstore
