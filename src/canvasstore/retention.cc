#include "canvasstore/retention.h"

#include <sqlite3.h>

#include <algorithm>
#include <string>

#include "canvas/tick.h"

namespace fanfare::canvasstore {

using store::Statement;

namespace {

// What goes when the file is too large, in hundredths of the past.
constexpr std::uint64_t kDropPercent = 10;
constexpr std::uint64_t kPageBytes = 4096;
constexpr auto kBan = static_cast<std::int64_t>(canvas::ModerationEvent::Kind::ban);

// The first column of the first row.
std::uint64_t number_from(Statement& statement, std::uint64_t otherwise) {
  const std::uint64_t number = statement.step() ? statement.unsigned_number(0) : otherwise;
  statement.reset();
  return number;
}

}  // namespace

struct Retention::Statements {
  explicit Statements(sqlite3* database) : db(database) {}
  sqlite3* db;
  Statement pages{db, "PRAGMA page_count"};
  Statement free_pages{db, "PRAGMA freelist_count"};
  Statement first_tick{db, "SELECT tick FROM ticks ORDER BY tick LIMIT 1"};
  Statement last_tick{db, "SELECT tick FROM ticks ORDER BY tick DESC LIMIT 1"};
  Statement cut{db, "INSERT OR REPLACE INTO state VALUES ('past_from', ?1)"};
  Statement kept_snapshot{db, "SELECT max(tick) FROM snapshots WHERE chunk = ?1 AND tick <= ?2"};
  Statement drop_changes{db, "DELETE FROM changes WHERE chunk = ?1 AND tick <= ?2"};
  Statement drop_snapshots{db, "DELETE FROM snapshots WHERE chunk = ?1 AND tick < ?2"};
  Statement drop_taken_back{db, "DELETE FROM taken_back WHERE chunk = ?1 AND tick <= ?2"};
  Statement oldest_change{db, "SELECT coalesce(min(tick), ?2) FROM changes WHERE chunk = ?1"};
  Statement drop_ticks{db, "DELETE FROM ticks WHERE tick < ?1"};
  Statement drop_events{db, "DELETE FROM events WHERE tick < ?1 AND kind <> ?2"};
};

Retention::Retention(sqlite3* database, std::uint64_t bytes_max)
    : database_(database), bytes_max_(bytes_max), statements_(std::make_unique<Statements>(database)) {}

Retention::~Retention() = default;

std::uint64_t Retention::bytes() {
  return (number_from(statements_->pages, 0) - number_from(statements_->free_pages, 0)) * kPageBytes;
}

bool Retention::begin_if_large(const std::vector<std::int64_t>& chunks) {
  if (bytes() <= bytes_max_) return true;
  const std::uint64_t last = number_from(statements_->last_tick, 0);
  const std::uint64_t first = number_from(statements_->first_tick, last);
  const std::uint64_t until = first + std::max<std::uint64_t>(1, (last - first) * kDropPercent / 100);
  if (until > last) return true;
  until_ = std::max(until, until_);
  // First of all nobody may ask for it any more.
  if (!statements_->cut.bind(1, std::to_string(until_)).run()) return false;
  chunks_ = all_ = chunks;
  return true;
}

bool Retention::drop_one() {
  const std::int64_t chunk = chunks_.back();
  Statement& kept = statements_->kept_snapshot;
  kept.bind(1, chunk).bind(2, until_);
  const std::uint64_t snapshot = number_from(kept, 0);
  const bool is_dropped = execute("BEGIN IMMEDIATE") && (snapshot == 0 || drop_before(chunk, snapshot)) &&
                          (chunks_.size() > 1 || drop_ticks()) && execute("COMMIT");
  if (is_dropped) chunks_.pop_back();
  return is_dropped;
}

bool Retention::drop_before(std::int64_t chunk, std::uint64_t snapshot) {
  return statements_->drop_changes.bind(1, chunk).bind(2, snapshot).run() &&
         statements_->drop_snapshots.bind(1, chunk).bind(2, snapshot).run() &&
         statements_->drop_taken_back.bind(1, chunk).bind(2, snapshot).run();
}

// Ticks that a row of the log still belongs to stay.
bool Retention::drop_ticks() {
  std::uint64_t oldest = until_;
  for (const std::int64_t chunk : all_) {
    statements_->oldest_change.bind(1, chunk).bind(2, until_);
    oldest = std::min(oldest, number_from(statements_->oldest_change, until_));
  }
  return statements_->drop_ticks.bind(1, oldest).run() &&
         statements_->drop_events.bind(1, oldest).bind(2, kBan).run();
}

bool Retention::execute(const char* text) {
  return sqlite3_exec(database_, text, nullptr, nullptr, nullptr) == SQLITE_OK;
}

}  // namespace fanfare::canvasstore
