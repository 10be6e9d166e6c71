#include "store/event_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "store/checksum.h"
#include "store/file_checks.h"

namespace fanfare::store {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

constexpr const char* kSchema =
    "CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL,"
    " last_offset INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT;"
    "CREATE TABLE events (topic INTEGER NOT NULL, offset INTEGER NOT NULL, time INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, frame BLOB NOT NULL, PRIMARY KEY (topic, offset)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO state VALUES ('session', 'closed'), ('commits', '0');"
    "PRAGMA application_id = 1178684998; PRAGMA user_version = 1;";

const char* name_of(StoreSync sync) {
  switch (sync) {
    case StoreSync::each:
      return "each";
    case StoreSync::interval:
      return "interval";
    case StoreSync::none:
      return "none";
  }
  return "";
}

// SQLite opens what it can only read, too, and says so at the first write.
std::expected<bool, Problem> make_file(const std::string& path) {
  const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made >= 0) {
    ::close(made);
    return true;
  }
  if (errno != EEXIST) return std::unexpected(system_problem(joined({"cannot create ", path}), errno));
  if (::access(path.c_str(), R_OK | W_OK) != 0) {
    return std::unexpected(system_problem(joined({"cannot open ", path}), errno));
  }
  return false;
}

}  // namespace

struct EventFile::Statements {
  explicit Statements(sqlite3* database) : db(database) {}
  sqlite3* db;
  Statement append{db, "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)"};
  Statement set_last{db, "UPDATE topics SET epoch = ?2, last_offset = ?3, checksum = ?4 WHERE id = ?1"};
  Statement drop_events{db, "DELETE FROM events WHERE topic = ?1 AND offset <= ?2"};
  Statement drop_topic{db, "DELETE FROM topics WHERE id = ?1"};
  Statement make_topic{db, "INSERT INTO topics (name, epoch, last_offset, checksum) VALUES (?1, 0, 0, 0)"};
  Statement find_topic{db, "SELECT id, epoch, last_offset, checksum FROM topics WHERE name = ?1"};
  Statement read{
      db,
      "SELECT offset, time, checksum, frame FROM events WHERE topic = ?1 AND offset > ?2 ORDER BY offset"};
  Statement lengths{db, "SELECT offset, time, length(frame) FROM events WHERE topic = ?1 ORDER BY offset"};
  Statement lengths_back{
      db, "SELECT offset, time, length(frame) FROM events WHERE topic = ?1 ORDER BY offset DESC"};
  Statement state{db, "SELECT value FROM state WHERE key = ?1"};
  Statement set_state{db, "UPDATE state SET value = ?2 WHERE key = ?1"};
};

EventFile::EventFile(FileSettings settings) : settings_(std::move(settings)) {}

std::expected<std::unique_ptr<EventFile>, Problem> EventFile::open(FileSettings settings) {
  const auto is_new = make_file(settings.path);
  if (!is_new) return std::unexpected(is_new.error());
  std::unique_ptr<EventFile> file(new EventFile(std::move(settings)));
  auto opened = file->prepare(*is_new);
  if (opened) return file;
  // SQLite needs no damage of ours to be confused by somebody else's file: that one is not touched.
  Problem problem = std::move(opened.error());
  const std::string path = file->settings_.path;
  file.reset();
  if (problem.is_damage && !was_event_file(path)) {
    problem = {.message = joined({path, " is not a store of events, and is left alone"})};
  }
  return std::unexpected(std::move(problem));
}

std::expected<void, Problem> EventFile::prepare(bool is_new) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  if (sqlite3_open_v2(settings_.path.c_str(), &database_, flags, nullptr) != SQLITE_OK) {
    return std::unexpected(failed(joined({"cannot open ", settings_.path})));
  }
  // Exclusive: no other process, and no shared memory that another would need. EXTRA is of no use with WAL.
  const bool is_ready = execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;") &&
                        execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;") &&
                        execute("PRAGMA journal_size_limit = 16777216; BEGIN IMMEDIATE; COMMIT;");
  if (!is_ready) {
    Problem problem = failed(joined({"cannot open ", settings_.path}));
    if (sqlite3_errcode(database_) == SQLITE_BUSY) problem.message += " (another program uses it)";
    return std::unexpected(std::move(problem));
  }
  bool is_empty = is_new;
  if (!is_new) {
    Statement count(database_, "SELECT count(*) FROM sqlite_schema");
    if (!count.step()) return std::unexpected(failed(joined({"cannot read ", settings_.path})));
    is_empty = count.number(0) == 0;
  }
  if (is_empty && !(execute("BEGIN") && execute(kSchema) && execute("COMMIT"))) {
    return std::unexpected(failed(joined({"cannot write ", settings_.path})));
  }
  if (auto ours = check_owner(database_, settings_.path); !ours) return ours;
  const std::uint64_t pages = std::max<std::uint64_t>(1, settings_.bytes_max / kPageBytes);
  execute(("PRAGMA max_page_count = " + std::to_string(pages)).c_str());
  statements_ = std::make_unique<Statements>(database_);
  if (auto checked = check_content(database_); !checked) return checked;
  if (auto opened = mark_.open(settings_.path); !opened) return opened;
  auto loss = find_loss();
  if (!loss) return std::unexpected(std::move(loss.error()));
  loss_ = *std::move(loss);
  return start_session();
}

std::expected<std::string, Problem> EventFile::find_loss() {
  const std::string session = state("session");
  const std::string commits = state("commits");
  if (session.empty() || commits.empty()) return std::unexpected(damage("its state"));
  commits_ = std::strtoull(commits.c_str(), nullptr, 10);
  const std::optional<std::uint64_t> mark = mark_.read();
  if (mark && *mark > commits_) {
    const std::string lost = std::to_string(*mark - commits_);
    commits_ = *mark;
    return joined({"the last ", lost,
                   " commits are not in the file: its write-ahead log was lost or an old copy was put back"});
  }
  if (session == "closed") return "";
  if (!mark) return "the program did not close the file, and there is no valid mark beside it";
  if (session == joined({"open each ", settings_.boot_id})) return "";
  if (session == joined({"open interval ", settings_.boot_id})) return "";
  if (session == joined({"open none ", settings_.boot_id})) return "";
  if (session.starts_with("open each ")) return "";
  return "the machine stopped, and not every event was on its disk";
}

// All of it is on the disk when it returns.
std::expected<void, Problem> EventFile::start_session() {
  const std::string session = joined({"open ", name_of(settings_.sync), " ", settings_.boot_id});
  const bool is_started = begin() && (loss_.empty() || execute("DELETE FROM events; DELETE FROM topics;")) &&
                          set_state("session", session) && commit() && mark_.sync() &&
                          execute("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!is_started) {
    Problem problem = failed(joined({"cannot write ", settings_.path}));
    rollback();
    return std::unexpected(std::move(problem));
  }
  const char* const sync =
      settings_.sync == StoreSync::each ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
  if (!execute(sync)) return std::unexpected(failed("cannot set up the file"));
  return {};
}

EventFile::~EventFile() {
  statements_.reset();
  sqlite3_close_v2(database_);
}

bool EventFile::begin() {
  return execute("BEGIN IMMEDIATE");
}

// A mark that cannot be written makes the commit count as failed, although the file has it: its events get no
// position that anybody knows.
bool EventFile::commit() {
  const std::uint64_t number = commits_ + 1;
  if (!set_state("commits", std::to_string(number)) || !execute("COMMIT")) return false;
  commits_ = number;
  if (mark_.write(commits_)) return true;
  problem_ = system_problem("cannot write the mark", errno);
  return false;
}

void EventFile::rollback() {
  if (sqlite3_get_autocommit(database_) == 0) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
}

std::optional<StoredTopic> EventFile::make_topic(std::string_view name, std::uint64_t epoch) {
  const auto there = find_topic(name);
  if (!there) return std::nullopt;
  StoredTopic topic;
  if (*there) {
    topic = **there;
    if (!drop_events(topic, INT64_MAX)) return std::nullopt;
  } else {
    if (!statements_->make_topic.bind(1, name).run()) return fail("cannot add a topic"), std::nullopt;
    topic.id = sqlite3_last_insert_rowid(database_);
  }
  topic.last = {.epoch = epoch, .offset = 0};
  if (!set_last(topic, name, topic.last)) return std::nullopt;
  return topic;
}

bool EventFile::append(const StoredTopic& topic, Position position, std::int64_t time_ms, Bytes frame) {
  return statements_->append.bind(1, topic.id)
             .bind(2, position.offset)
             .bind(3, time_ms)
             .bind(4, checksum_of(topic.id, position, time_ms, frame))
             .bind(5, frame)
             .run() ||
         fail("cannot write an event");
}

bool EventFile::set_last(const StoredTopic& topic, std::string_view name, Position last) {
  return statements_->set_last.bind(1, topic.id)
             .bind(2, last.epoch)
             .bind(3, last.offset)
             .bind(4, checksum_of(topic.id, name, last))
             .run() ||
         fail("cannot write a topic");
}

bool EventFile::drop_events(const StoredTopic& topic, std::uint64_t until_offset) {
  return statements_->drop_events.bind(1, topic.id).bind(2, until_offset).run() ||
         fail("cannot drop old events");
}

bool EventFile::drop_topic(const StoredTopic& topic) {
  if (!drop_events(topic, INT64_MAX)) return false;
  return statements_->drop_topic.bind(1, topic.id).run() || fail("cannot drop a topic");
}

std::expected<std::optional<StoredTopic>, Problem> EventFile::find_topic(std::string_view name) {
  Statement& find = statements_->find_topic;
  find.bind(1, name);
  std::optional<StoredTopic> found;
  if (find.step()) {
    found = {.id = find.number(0),
             .last = {.epoch = find.unsigned_number(1), .offset = find.unsigned_number(2)}};
  }
  const bool is_sound = !found || find.number(3) == checksum_of(found->id, name, found->last);
  const bool has_failed = find.failed();
  find.reset();
  if (has_failed) return std::unexpected(failed("cannot read a topic"));
  if (!is_sound) return std::unexpected(damage("the row of a topic"));
  return found;
}

std::expected<StoredTotals, Problem> EventFile::totals(const StoredTopic& topic) {
  StoredTotals totals{.first_offset = topic.last.offset + 1};
  Statement& lengths = statements_->lengths;
  lengths.bind(1, topic.id);
  while (lengths.step()) {
    if (totals.messages++ == 0) {
      totals.first_offset = lengths.unsigned_number(0);
      totals.first_time_ms = lengths.number(1);
    }
    totals.bytes += static_cast<std::size_t>(lengths.number(2));
  }
  const bool has_failed = lengths.failed();
  lengths.reset();
  if (has_failed) return std::unexpected(failed("cannot read the events"));
  return totals;
}

std::expected<std::vector<StoredRow>, Problem> EventFile::read(const StoredTopic& topic,
                                                               std::uint64_t after_offset,
                                                               std::size_t messages_max,
                                                               std::size_t bytes_max) {
  std::vector<StoredRow> rows;
  std::size_t bytes = 0;
  Statement& read = statements_->read;
  read.bind(1, topic.id).bind(2, after_offset);
  bool is_sound = true;
  while (is_sound && rows.size() < messages_max && read.step()) {
    const Bytes frame = read.blob(3);
    if (!rows.empty() && bytes + frame.size() > bytes_max) break;
    bytes += frame.size();
    const Position position{.epoch = topic.last.epoch, .offset = read.unsigned_number(0)};
    is_sound = read.number(2) == checksum_of(topic.id, position, read.number(1), frame) &&
               (rows.empty() || position.offset == rows.back().offset + 1);
    rows.push_back({.offset = position.offset, .time_ms = read.number(1), .frame = SharedBytes(frame)});
  }
  const bool has_failed = read.failed();
  read.reset();
  if (has_failed) return std::unexpected(failed("cannot read the events"));
  if (!is_sound) return std::unexpected(damage("an event"));
  return rows;
}

std::expected<EventFile::Cut, Problem> EventFile::find_cut(const StoredTopic& topic, const StoredTotals& now,
                                                           const HistoryLimits& limits, std::int64_t now_ms) {
  Cut cut;
  Statement& lengths = statements_->lengths;
  lengths.bind(1, topic.id);
  while (lengths.step()) {
    cut.next_time_ms = lengths.number(1);
    const bool is_old = limits.age_max.count() > 0 && now_ms - cut.next_time_ms > limits.age_max.count();
    if (now.messages - cut.messages <= limits.messages_max && now.bytes - cut.bytes <= limits.bytes_max &&
        !is_old) {
      break;
    }
    cut.until_offset = lengths.unsigned_number(0);
    ++cut.messages;
    cut.bytes += static_cast<std::size_t>(lengths.number(2));
  }
  const bool has_failed = lengths.failed();
  lengths.reset();
  if (has_failed) return std::unexpected(failed("cannot read the events"));
  return cut;
}

std::expected<std::uint64_t, Problem> EventFile::before_newest(const StoredTopic& topic,
                                                               const HistoryLimits& limits,
                                                               std::int64_t now_ms) {
  std::uint64_t before = topic.last.offset;
  std::size_t messages = 0;
  std::size_t bytes = 0;
  Statement& lengths = statements_->lengths_back;
  lengths.bind(1, topic.id);
  while (messages < limits.messages_max && lengths.step()) {
    ++messages;
    bytes += static_cast<std::size_t>(lengths.number(2));
    const bool is_old = limits.age_max.count() > 0 && now_ms - lengths.number(1) > limits.age_max.count();
    if (bytes > limits.bytes_max || is_old) break;
    before = lengths.unsigned_number(0) - 1;
  }
  const bool has_failed = lengths.failed();
  lengths.reset();
  if (has_failed) return std::unexpected(failed("cannot read the events"));
  return before;
}

bool EventFile::sync() {
  return execute("PRAGMA wal_checkpoint(PASSIVE)");
}

bool EventFile::close() {
  if (!execute("PRAGMA synchronous = FULL") || !begin()) return false;
  const bool is_closed = set_state("session", "closed") && commit() && mark_.sync();
  if (!is_closed) rollback();
  return is_closed && execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

std::string EventFile::move_aside(const std::string& path, std::int64_t now_ms) {
  std::string aside = path + ".damaged-" + std::to_string(now_ms);
  if (::rename(path.c_str(), aside.c_str()) != 0) return "";
  for (const char* const suffix : {"-wal", "-mark"}) {
    ::rename((path + suffix).c_str(), (aside + suffix).c_str());
  }
  return aside;
}

std::string EventFile::state(std::string_view key) {
  Statement& find = statements_->state;
  find.bind(1, key);
  std::string value = find.step() ? std::string(find.text(0)) : "";
  find.reset();
  return value;
}

bool EventFile::set_state(std::string_view key, std::string_view value) {
  return statements_->set_state.bind(1, key).bind(2, value).run() || fail("cannot write the state");
}

bool EventFile::execute(const char* text) {
  if (sqlite3_exec(database_, text, nullptr, nullptr, nullptr) == SQLITE_OK) return true;
  return fail("SQLite");
}

bool EventFile::fail(std::string_view doing) {
  problem_ = problem_of(database_, doing);
  return false;
}

Problem EventFile::failed(std::string_view doing) {
  problem_ = problem_of(database_, doing);
  return problem_;
}

}  // namespace fanfare::store
