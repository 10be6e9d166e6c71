#include "store/file_checks.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <unordered_map>

#include "base/text.h"
#include "fanfare/topic.h"
#include "store/checksum.h"
#include "store/commit_mark.h"

namespace fanfare::store {
namespace {

constexpr std::int64_t kApplicationId = 0x46414E46;  // "FANF"
constexpr std::int64_t kFormat = 1;

// Every row is what was written, and no event is missing between two.
std::expected<void, Problem> check_rows(sqlite3* database) {
  std::unordered_map<std::int64_t, Position> topics;
  Statement rows(database, "SELECT id, name, epoch, last_offset, checksum FROM topics");
  while (rows.step()) {
    const Position last{.epoch = rows.unsigned_number(2), .offset = rows.unsigned_number(3)};
    if (rows.number(4) != checksum_of(rows.number(0), rows.text(1), last)) {
      return std::unexpected(damage(joined({"the row of topic ", rows.text(1)})));
    }
    topics.emplace(rows.number(0), last);
  }
  if (rows.failed()) return std::unexpected(problem_of(database, "cannot read the topics"));
  Statement events(database,
                   "SELECT topic, offset, time, checksum, frame FROM events ORDER BY topic, offset");
  std::int64_t topic = 0;
  Position last;
  std::uint64_t next = 0;
  while (events.step()) {
    if (events.number(0) != topic || next == 0) {
      if (next != 0 && next != last.offset + 1) return std::unexpected(damage("events are missing"));
      topic = events.number(0);
      const auto found = topics.find(topic);
      if (found == topics.end()) return std::unexpected(damage("events without a topic"));
      last = found->second;
      next = events.unsigned_number(1);
    }
    const Position position{.epoch = last.epoch, .offset = events.unsigned_number(1)};
    if (position.offset != next || position.offset > last.offset) {
      return std::unexpected(damage("events are missing"));
    }
    if (events.number(3) != checksum_of(topic, position, events.number(2), events.blob(4))) {
      return std::unexpected(damage("the checksum of an event"));
    }
    ++next;
  }
  if (events.failed()) return std::unexpected(problem_of(database, "cannot read the events"));
  if (next != 0 && next != last.offset + 1) return std::unexpected(damage("events are missing"));
  return {};
}

}  // namespace

Problem damage(std::string_view what) {
  return {.message = joined({"the file is damaged: ", what}), .is_damage = true};
}

std::expected<void, Problem> check_owner(sqlite3* database, const std::string& path) {
  Statement id(database, "PRAGMA application_id");
  Statement version(database, "PRAGMA user_version");
  if (!id.step() || !version.step())
    return std::unexpected(problem_of(database, "cannot read the file's header"));
  Statement tables(database,
                   "SELECT count(*) FROM sqlite_schema WHERE name IN ('topics', 'events', 'state')");
  const bool has_tables = tables.step() && tables.number(0) == 3;
  if (tables.failed()) return std::unexpected(problem_of(database, "cannot read the file's tables"));
  if (id.number(0) != kApplicationId) {
    if (has_tables) return std::unexpected(damage("its application id"));
    return std::unexpected(
        Problem{.message = joined({path, " is a database of another program, and is left alone"})});
  }
  if (version.number(0) == kFormat && has_tables) return {};
  if (version.number(0) > kFormat && has_tables) {
    return std::unexpected(Problem{.message = joined({path, " has a newer format"})});
  }
  return std::unexpected(damage("its tables or its version"));
}

std::expected<void, Problem> check_content(sqlite3* database) {
  Statement structure(database, "PRAGMA quick_check(1)");
  if (!structure.step()) return std::unexpected(problem_of(database, "cannot check the file"));
  if (structure.text(0) != "ok") return std::unexpected(damage(structure.text(0)));
  return check_rows(database);
}

bool was_event_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  std::array<std::uint8_t, 72> head{};
  const ssize_t got = ::pread(fd, head.data(), head.size(), 0);
  ::close(fd);
  const std::string_view text = as_text(Bytes(head).first(got < 0 ? 0 : static_cast<std::size_t>(got)));
  if (text.size() == head.size() && text.ends_with("FANF")) return true;
  return CommitMark::is_beside(path);
}

}  // namespace fanfare::store
