#include "canvasstore/room_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <utility>

#include "base/text.h"
#include "canvasstore/file_checks.h"
#include "canvasstore/room_schema.h"
#include "canvasstore/row_format.h"
#include "canvasstore/stored_bans.h"
#include "canvasstore/taken_back_rows.h"

namespace fanfare::canvasstore {

using canvas::ModerationEvent;
using canvasserver::LoggedChunk;
using canvasserver::LoggedTick;
using canvasserver::StoredRoom;
using store::Problem;
using store::Statement;

namespace {

// How many ticks are written between two looks at the size of the file.
constexpr std::uint64_t kSizeEvery = 64;

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

constexpr const char* kEmptyLog =
    "DELETE FROM ticks; DELETE FROM changes; DELETE FROM taken_back; DELETE FROM snapshots;"
    "DELETE FROM chunks; DELETE FROM users; DELETE FROM events;";

// A chunk in which these pixels are all that is drawn.
canvasserver::StoredChunk whole_chunk(const LoggedChunk& chunk, const canvas::RoomSpec& spec) {
  canvasserver::StoredChunk whole{.chunk = chunk.chunk, .version = chunk.version, .pixels = {}};
  whole.pixels.colours.assign(canvas::kChunkPixels, spec.background_colour());
  whole.pixels.users.assign(canvas::kChunkPixels, 0);
  for (const canvas::TickPixel& pixel : chunk.pixels) {
    whole.pixels.colours[pixel.index] = pixel.colour;
    whole.pixels.users[pixel.index] = pixel.user;
  }
  return whole;
}

}  // namespace

struct RoomFile::Statements {
  explicit Statements(sqlite3* database) : db(database) {}
  sqlite3* db;
  Statement tick{db, "INSERT INTO ticks VALUES (?1, ?2)"};
  Statement change{db, "INSERT INTO changes VALUES (?1, ?2, ?3, ?4, ?5)"};
  Statement taken_back{db, "INSERT INTO taken_back VALUES (?1, ?2, ?3, ?4)"};
  Statement chunk{db, "INSERT OR IGNORE INTO chunks VALUES (?1)"};
  Statement user{db, "INSERT OR REPLACE INTO users VALUES (?1, ?2, ?3)"};
  Statement event{db, "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"};
  Statement snapshot{db, "INSERT OR REPLACE INTO snapshots VALUES (?1, ?2, ?3, ?4, ?5, ?6)"};
  Statement state{db, "SELECT value FROM state WHERE key = ?1"};
  Statement set_state{db, "INSERT OR REPLACE INTO state VALUES (?1, ?2)"};
  Statement last_tick{db, "SELECT tick, time FROM ticks ORDER BY tick DESC LIMIT 1"};
  Statement growth{db,
                   "SELECT count(*), total(length(data)) FROM changes WHERE chunk = ?1 AND tick > coalesce("
                   "(SELECT max(tick) FROM snapshots WHERE chunk = ?1), 0)"};
};

RoomFile::RoomFile(RoomFileSettings settings) : settings_(std::move(settings)) {}

std::expected<std::unique_ptr<RoomFile>, Problem> RoomFile::open(RoomFileSettings settings) {
  std::unique_ptr<RoomFile> file(new RoomFile(std::move(settings)));
  if (auto opened = file->prepare(); !opened) return std::unexpected(std::move(opened.error()));
  return file;
}

std::expected<void, Problem> RoomFile::prepare() {
  const std::string& path = settings_.path;
  if (!in_memory()) {
    if (auto wrong = place_problem(path)) return std::unexpected(Problem{.message = *std::move(wrong)});
    // The mark is the lock, too: it exists as long as the room.
    if (auto opened = mark_.open(path); !opened) return opened;
    lock_fd_ = ::open(store::CommitMark::path_of(path).c_str(), O_RDWR | O_CLOEXEC);
    if (lock_fd_ < 0 || ::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK)
        return std::unexpected(store::system_problem(joined({"cannot lock ", path}), errno));
      return std::unexpected(Problem{.message = joined({"cannot open ", path, ": another program uses it"})});
    }
    auto made = make_file(path, mark_);
    if (!made) return std::unexpected(std::move(made.error()));
    claim_ = *std::move(made);
  }
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  if (sqlite3_open_v2(in_memory() ? ":memory:" : path.c_str(), &database_, flags, nullptr) != SQLITE_OK) {
    return std::unexpected(failed(joined({"cannot open ", path})));
  }
  const bool is_set_up =
      in_memory() ? execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")
                  : execute("PRAGMA cell_size_check = ON; PRAGMA journal_mode = WAL;") &&
                        execute("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;");
  if (!is_set_up) return std::unexpected(failed(joined({"cannot open ", path})));
  const auto is_new = is_empty(database_, path);
  if (!is_new) return std::unexpected(is_new.error());
  // The tables may have been in a write-ahead log that is gone.
  if (*is_new && !in_memory()) {
    if (auto unmarked = check_unmarked(path, mark_); !unmarked) return unmarked;
  }
  if (auto ours = check_schema(database_, path); !ours) return ours;
  if (auto sound = check_pages(database_); !sound) return sound;
  statements_ = std::make_unique<Statements>(database_);
  past_ = std::make_unique<PastFile>(database_, settings_.spec);
  retention_ = std::make_unique<Retention>(database_, settings_.history_bytes_max);
  if (auto same = check_spec(); !same) return same;
  if (auto counted = load_counters(); !counted) return counted;
  return find_loss();
}

// The file's specification is that of the room; only a palette may have become longer. load() stores it, after everything
// else was checked.
std::expected<void, Problem> RoomFile::check_spec() {
  const std::string wanted = spec_text(settings_.spec);
  const std::string there = state("spec");
  const auto before = parse_spec(there);
  const bool has_longer_palette = before && before->has_palette() && wanted.starts_with(there + " ");
  if (there.empty() || there == wanted || has_longer_palette) return {};
  return std::unexpected(Problem{.message = joined({settings_.path, " has another canvas (", there,
                                                    ") than the configuration says (", wanted, ")"})});
}

std::expected<void, Problem> RoomFile::load_counters() {
  Statement& last = statements_->last_tick;
  if (last.step()) {
    last_tick_ = last.unsigned_number(0);
    last_time_ms_ = last.number(1);
  }
  last.reset();
  last_tick_ = std::max(last_tick_, number_of(state("last_tick")));
  epoch_ = number_of(state("epoch"));
  first_ms_ = static_cast<std::int64_t>(number_of(state("first_ms")));
  pixels_total_ = number_of(state("pixels"));
  last_user_ = static_cast<std::uint32_t>(number_of(state("last_user")));
  const auto chunks = past_->chunks();
  if (!chunks) return std::unexpected(chunks.error());
  const std::size_t pixel_bytes = settings_.spec.bytes_per_colour() + 3;
  for (const std::int64_t chunk : *chunks) {
    Statement& growth = statements_->growth;
    growth.bind(1, chunk);
    if (!growth.step()) return std::unexpected(failed("cannot read the log"));
    growth_[chunk] = {.rows = static_cast<std::size_t>(growth.number(0)),
                      .pixels = static_cast<std::size_t>(growth.number(1)) / pixel_bytes};
    growth.reset();
  }
  return {};
}

// Whether clients may have seen what is not in the file, and the start of this session.
std::expected<void, Problem> RoomFile::find_loss() {
  const std::string session = state("session");
  if (!in_memory() && !session.empty()) {
    const auto mark = mark_.read();
    const bool is_same_boot = session.ends_with(settings_.boot_id);
    if (mark && *mark > last_tick_) {
      loss_ = joined(
          {"the last ", std::to_string(*mark - last_tick_), " ticks that were shown are not in the file"});
    } else if (session != "closed" && !mark) {
      loss_ = "the program did not close the file, and there is no valid mark beside it";
    } else if (session.starts_with("interval ") && !is_same_boot) {
      loss_ = "the machine stopped, and not every tick was on its disk";
    }
    if (!loss_.empty()) last_tick_ = std::max(last_tick_, mark.value_or(0));
  }
  if (epoch_ == 0 || !loss_.empty()) epoch_ = settings_.new_epoch;
  const bool is_started = execute("BEGIN IMMEDIATE") && set_state("epoch", std::to_string(epoch_)) &&
                          set_state("last_tick", std::to_string(last_tick_)) &&
                          set_state("session", joined({settings_.session, " ", settings_.boot_id})) &&
                          execute("COMMIT");
  if (!is_started || (!in_memory() && !(mark_.write(last_tick_) && mark_.sync()))) {
    Problem problem = failed(joined({"cannot write ", settings_.path}));
    rollback();
    return std::unexpected(std::move(problem));
  }
  return {};
}

RoomFile::~RoomFile() {
  retention_.reset();
  past_.reset();
  statements_.reset();
  sqlite3_close_v2(database_);
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

std::expected<StoredRoom, Problem> RoomFile::load() {
  StoredRoom room{.epoch = epoch_,
                  .last_tick = last_tick_,
                  .last_user = last_user_,
                  .pixels_total = pixels_total_,
                  .first_ms = first_ms_,
                  .last_ms = pixels_total_ == 0 ? 0 : last_time_ms_,
                  .last_tick_ms = last_time_ms_};
  for (const auto& [chunk, growth] : growth_) {
    auto there = past_->chunk_at(chunk, std::numeric_limits<std::int64_t>::max(), true);
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) continue;
    versions_.set(chunk, (*there)->version);
    room.chunks.push_back(**std::move(there));
  }
  if (!versions_.agrees_with(state("versions"), last_tick_)) {
    return std::unexpected(damage("the newest row of a chunk is missing from the log"));
  }
  auto bans = read_bans(database_);
  if (!bans) return std::unexpected(std::move(bans.error()));
  room.bans = *std::move(bans);
  const std::string wanted = spec_text(settings_.spec);
  if (state("spec") != wanted && !set_state("spec", wanted)) {
    return std::unexpected(failed(joined({"cannot write ", settings_.path})));
  }
  return room;
}

bool RoomFile::write(const std::vector<LoggedTick>& ticks) {
  const std::uint64_t pixels_before = pixels_total_;
  const std::int64_t first_before = first_ms_;
  const std::int64_t time_before = last_time_ms_;
  const std::uint32_t user_before = last_user_;
  auto growth_before = growth_;
  const ChunkVersions versions_before = versions_;
  bool is_written = execute("BEGIN IMMEDIATE");
  for (const LoggedTick& tick : ticks) is_written = is_written && write_tick(tick);
  is_written = is_written && set_state("pixels", std::to_string(pixels_total_)) &&
               set_state("first_ms", std::to_string(first_ms_)) &&
               set_state("last_user", std::to_string(last_user_)) &&
               set_state("last_tick", std::to_string(ticks.back().tick)) &&
               set_state("versions", versions_.text(ticks.back().tick)) && execute("COMMIT");
  if (!is_written) {
    rollback();
    pixels_total_ = pixels_before;
    first_ms_ = first_before;
    last_time_ms_ = time_before;
    last_user_ = user_before;
    growth_ = std::move(growth_before);
    versions_ = versions_before;
    return false;
  }
  last_tick_ = ticks.back().tick;
  for (const auto& [chunk, growth] : growth_) {
    if (growth.rows < kSnapshotRows && growth.pixels < kSnapshotPixels) continue;
    if (std::ranges::find(grown_, chunk) == grown_.end()) grown_.push_back(chunk);
  }
  writes_ += ticks.size();
  return true;
}

bool RoomFile::begin_again(std::uint64_t tick) {
  growth_.clear();
  grown_.clear();
  versions_ = {};
  first_ms_ = 0;
  last_time_ms_ = 0;
  return execute(kEmptyLog) && set_state("past_from", std::to_string(tick));
}

bool RoomFile::write_tick(const LoggedTick& tick) {
  if (tick.is_base && !begin_again(tick.tick)) return fail("cannot begin the log again");
  last_time_ms_ = std::max(last_time_ms_, tick.time_ms);
  if (!statements_->tick.bind(1, tick.tick).bind(2, last_time_ms_).run()) return fail("cannot write a tick");
  for (const LoggedChunk& chunk : tick.chunks) {
    const std::int64_t number = chunk_number(chunk.chunk);
    if (!growth_.contains(number) && !statements_->chunk.bind(1, number).run()) {
      return fail("cannot write a chunk");
    }
    Growth& growth = growth_[number];
    ++growth.rows;
    growth.pixels += chunk.pixels.size();
    versions_.set(number, chunk.version);
    pixels_total_ += chunk.pixels.size();
    if (first_ms_ == 0) first_ms_ = last_time_ms_;
    const auto data = encode_pixels(chunk.pixels, settings_.spec.has_palette());
    const bool is_written = statements_->change.bind(1, number)
                                .bind(2, tick.tick)
                                .bind(3, chunk.version)
                                .bind(4, row_checksum(number, tick.tick, chunk.version, data))
                                .bind(5, Bytes(data))
                                .run();
    if (!is_written) return fail("cannot write the log");
    // The versions before are missing: it is read from here.
    if (tick.is_base && !write_snapshot(tick.tick, whole_chunk(chunk, settings_.spec))) return false;
  }
  if (!write_taken_back(statements_->taken_back, tick)) return fail("cannot write what was taken back");
  for (const canvasserver::LoggedUser& user : tick.users) {
    last_user_ = std::max(last_user_, user.number);
    if (!statements_->user.bind(1, std::uint64_t{user.number}).bind(2, user.id).bind(3, user.name).run()) {
      return fail("cannot write a user");
    }
  }
  for (std::size_t i = 0; i < tick.events.size(); ++i) {
    if (!write_event(tick.tick, i, tick.events[i])) return false;
  }
  return true;
}

bool RoomFile::write_event(std::uint64_t tick, std::size_t number, const ModerationEvent& event) {
  std::string payers;
  for (const std::string& payer : event.payers) payers += payer + "\n";
  return statements_->event.bind(1, tick)
             .bind(2, std::uint64_t{number})
             .bind(3, static_cast<std::int64_t>(event.kind))
             .bind(4, std::uint64_t{event.moderator})
             .bind(5, std::uint64_t{event.user})
             .bind(6, std::uint64_t{event.area.x})
             .bind(7, std::uint64_t{event.area.y})
             .bind(8, std::uint64_t{event.area.width})
             .bind(9, std::uint64_t{event.area.height})
             .bind(10, event.at_ms)
             .bind(11, event.until_ms)
             .bind(12, event.identity)
             .bind(13, payers)
             .run() ||
         fail("cannot write an event");
}

bool RoomFile::tidy(bool& did) {
  did = true;
  if (!grown_.empty()) {
    const std::int64_t chunk = grown_.back();
    if (!make_snapshot(chunk)) return false;
    grown_.pop_back();
    return true;
  }
  bool is_done = true;
  if (retention_->is_dropping()) {
    is_done = retention_->drop_one();
  } else {
    did = false;
    if (writes_ < kSizeEvery) return true;
    writes_ = 0;
    std::vector<std::int64_t> chunks;
    for (const auto& [chunk, growth] : growth_) chunks.push_back(chunk);
    is_done = retention_->begin_if_large(chunks);
    did = retention_->is_dropping();
  }
  if (is_done) return true;
  fail("cannot drop old parts of the log");
  rollback();
  return false;
}

bool RoomFile::make_snapshot(std::int64_t chunk) {
  const auto there = past_->chunk_at(chunk, last_tick_, true);
  if (!there) {
    problem_ = there.error();
    return false;
  }
  if (*there && !write_snapshot(last_tick_, **there)) return false;
  growth_[chunk] = {};
  return true;
}

bool RoomFile::write_snapshot(std::uint64_t tick, const canvasserver::StoredChunk& chunk) {
  const std::int64_t number = chunk_number(chunk.chunk);
  const auto colours = pack_colours(chunk.pixels.colours, settings_.spec.has_palette());
  const auto users = pack_users(chunk.pixels.users);
  return statements_->snapshot.bind(1, number)
             .bind(2, tick)
             .bind(3, chunk.version)
             .bind(4, row_checksum(number, tick, chunk.version, colours, users))
             .bind(5, Bytes(colours))
             .bind(6, Bytes(users))
             .run() ||
         fail("cannot write a snapshot");
}

void RoomFile::mark_shown(std::uint64_t tick, bool durable) const {
  if (in_memory()) return;
  mark_.write(tick);
  if (durable) mark_.sync();
}

bool RoomFile::close() {
  if (in_memory()) return true;
  return set_state("session", "closed") && mark_.write(last_tick_) && mark_.sync() &&
         execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

std::string RoomFile::state(std::string_view key) {
  Statement& find = statements_->state;
  find.bind(1, key);
  std::string value = find.step() ? std::string(find.text(0)) : "";
  find.reset();
  return value;
}

bool RoomFile::set_state(std::string_view key, std::string_view value) {
  return statements_->set_state.bind(1, key).bind(2, value).run() || fail("cannot write the state");
}

bool RoomFile::execute(const char* text) {
  return sqlite3_exec(database_, text, nullptr, nullptr, nullptr) == SQLITE_OK || fail("SQLite");
}

bool RoomFile::fail(std::string_view doing) {
  problem_ = store::problem_of(database_, doing);
  return false;
}

void RoomFile::rollback() {
  if (sqlite3_get_autocommit(database_) == 0) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Problem RoomFile::failed(std::string_view doing) {
  problem_ = store::problem_of(database_, doing);
  return problem_;
}

}  // namespace fanfare::canvasstore
