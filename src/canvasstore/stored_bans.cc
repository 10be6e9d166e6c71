#include "canvasstore/stored_bans.h"

#include <map>
#include <string>

#include "canvasstore/room_schema.h"

namespace fanfare::canvasstore {

using canvas::ModerationEvent;

std::expected<std::vector<ModerationEvent>, store::Problem> read_bans(sqlite3* database) {
  std::map<std::string, ModerationEvent> last;  // by identity
  store::Statement bans(
      database,
      "SELECT moderator, user, until_ms, identity, payers FROM events WHERE kind = ?1 ORDER BY tick, number");
  bans.bind(1, static_cast<std::int64_t>(ModerationEvent::Kind::ban));
  while (bans.step()) {
    ModerationEvent ban{.kind = ModerationEvent::Kind::ban,
                        .moderator = static_cast<canvas::UserNumber>(bans.number(0)),
                        .user = static_cast<canvas::UserNumber>(bans.number(1)),
                        .until_ms = bans.number(2),
                        .identity = std::string(bans.text(3))};
    ban.payers = lines_of(bans.text(4));
    last[ban.identity] = std::move(ban);
  }
  if (bans.failed()) return std::unexpected(store::problem_of(database, "cannot read the bans"));
  std::vector<ModerationEvent> found;
  for (auto& [identity, ban] : last) found.push_back(std::move(ban));
  return found;
}

}  // namespace fanfare::canvasstore
