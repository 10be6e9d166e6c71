#include <sqlite3.h>

#include "base/text.h"
#include "canvasstore/room_file.h"
#include "canvasstore/room_schema.h"

namespace fanfare::canvasstore {

using store::Problem;

std::expected<OpenPast, Problem> open_past(const std::string& path) {
  sqlite3* database = nullptr;
  // Not read only: the first reader of a file in WAL mode creates its shared memory.
  const int opened =
      sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  OpenPast past{.database = std::shared_ptr<sqlite3>(database, [](sqlite3* open) { sqlite3_close_v2(open); }),
                .spec = nullptr,
                .past = nullptr};
  if (opened != SQLITE_OK)
    return std::unexpected(store::problem_of(database, joined({"cannot open ", path})));
  sqlite3_exec(database, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON", nullptr, nullptr, nullptr);
  store::Statement id(database, "PRAGMA application_id");
  if (!id.step()) return std::unexpected(store::problem_of(database, joined({"cannot read ", path})));
  if (id.number(0) != kApplicationId) {
    return std::unexpected(Problem{.message = joined({path, " is not the file of a canvas room"})});
  }
  store::Statement spec(database, "SELECT value FROM state WHERE key = 'spec'");
  const auto parsed = spec.step() ? parse_spec(spec.text(0)) : std::nullopt;
  if (!parsed) return std::unexpected(damage("its specification"));
  past.spec = std::make_shared<const canvas::RoomSpec>(*parsed);
  past.past = std::make_unique<PastFile>(database, *past.spec);
  return past;
}

}  // namespace fanfare::canvasstore
