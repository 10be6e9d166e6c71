#pragma once
// The bans in the file of a room.

#include <expected>
#include <vector>

#include "canvas/tick.h"
#include "store/statement.h"

namespace fanfare::canvasstore {

// The last one of each identity.
std::expected<std::vector<canvas::ModerationEvent>, store::Problem> read_bans(sqlite3* database);

}  // namespace fanfare::canvasstore
