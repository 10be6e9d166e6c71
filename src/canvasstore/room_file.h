#pragma once
// The file of a room: a SQLite database in WAL mode, written by one thread. Others may read it meanwhile (PastFile).
//
//   ticks      tick, time                       time: milliseconds since 1970, never less than before
//   changes    (chunk, tick), version, checksum, data       see row_format.h
//   taken_back (chunk, tick), checksum, data    strokes that were taken back, see row_format.h
//   snapshots  (chunk, tick), version, checksum, colours, users
//   chunks     chunk                            each chunk that anybody has drawn in
//   events     (tick, number), kind, ...        what moderators did
//   users      number, id, name                 who drew
//   state      key, value                       session, epoch, the room's specification, counters, versions (ChunkVersions)
//
// Beside it is PATH-mark with the number of the newest tick that clients may have seen (store/commit_mark.h). It is locked
// while the room is open, so that no other process writes the file. open() finds out whether a tick that was shown is missing.
// Then the epoch changes.

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>

#include "canvasserver/storage.h"
#include "canvasstore/chunk_versions.h"
#include "canvasstore/file_checks.h"
#include "canvasstore/past_file.h"
#include "canvasstore/retention.h"
#include "store/commit_mark.h"
#include "store/statement.h"

namespace fanfare::canvasstore {

struct RoomFileSettings {
  std::string path;  // empty: in memory
  canvas::RoomSpec spec;
  std::string session;  // what is written while the file is open: "full" or "interval"
  std::uint64_t history_bytes_max = std::uint64_t{4} << 30;
  std::uint64_t new_epoch = 0;
  std::string boot_id;  // of the machine's kernel
};

class RoomFile {
 public:
  // Creates the file if there is none, readable for its owner only.
  static std::expected<std::unique_ptr<RoomFile>, store::Problem> open(RoomFileSettings settings);
  RoomFile(const RoomFile&) = delete;
  RoomFile& operator=(const RoomFile&) = delete;
  // Closes it as after a crash, if close() was not called.
  ~RoomFile();

  // What the file had when it was opened. Once. Reads every chunk.
  std::expected<canvasserver::StoredRoom, store::Problem> load();
  // Why the epoch has changed; empty: it has not.
  const std::string& loss() const { return loss_; }

  // All of the ticks or none of them. False: problem() says why.
  bool write(const std::vector<canvasserver::LoggedTick>& ticks);
  // Makes a snapshot of one chunk that needs it, or drops a part of the past that is over history_bytes_max. `did` says
  // whether there was anything to do. False: it failed.
  bool tidy(bool& did);
  const store::Problem& problem() const { return problem_; }
  std::uint64_t last_tick() const { return last_tick_; }

  // Any thread. The tick may be seen from now on. `durable`: also after a loss of power.
  void mark_shown(std::uint64_t tick, bool durable) const;

  // Marks it as closed.
  bool close();

  // In memory there is only this one; otherwise readers open the file themselves.
  PastFile& past() { return *past_; }
  std::uint64_t bytes() { return retention_->bytes(); }
  const canvas::RoomSpec& spec() const { return settings_.spec; }

 private:
  struct Statements;
  struct Growth {  // of a chunk since its last snapshot
    std::size_t rows = 0;
    std::size_t pixels = 0;
  };

  explicit RoomFile(RoomFileSettings settings);
  bool in_memory() const { return settings_.path.empty(); }
  std::expected<void, store::Problem> prepare();
  std::expected<void, store::Problem> check_spec();
  std::expected<void, store::Problem> find_loss();
  std::expected<void, store::Problem> load_counters();
  bool begin_again(std::uint64_t tick);
  bool write_snapshot(std::uint64_t tick, const canvasserver::StoredChunk& chunk);
  bool write_tick(const canvasserver::LoggedTick& tick);
  bool write_event(std::uint64_t tick, std::size_t number, const canvas::ModerationEvent& event);
  bool make_snapshot(std::int64_t chunk);
  std::string state(std::string_view key);
  bool set_state(std::string_view key, std::string_view value);
  bool execute(const char* text);
  bool fail(std::string_view doing);
  void rollback();
  store::Problem failed(std::string_view doing);

  RoomFileSettings settings_;
  sqlite3* database_ = nullptr;
  store::CommitMark mark_;
  int lock_fd_ = -1;
  FileClaim claim_;
  std::unique_ptr<Statements> statements_;
  std::unique_ptr<PastFile> past_;
  std::unique_ptr<Retention> retention_;
  std::map<std::int64_t, Growth> growth_;  // by chunk
  std::vector<std::int64_t> grown_;        // need a snapshot
  ChunkVersions versions_;                 // from load() on
  std::uint64_t epoch_ = 0;
  std::uint64_t last_tick_ = 0;
  std::int64_t last_time_ms_ = 0;
  std::int64_t first_ms_ = 0;
  std::uint64_t pixels_total_ = 0;
  std::uint32_t last_user_ = 0;
  std::uint64_t writes_ = 0;
  std::string loss_;
  store::Problem problem_;
};

// Opens the file for reading only, while another process may write it. The file stays open until `database` is destroyed.
struct OpenPast {
  std::shared_ptr<sqlite3> database;
  std::shared_ptr<const canvas::RoomSpec> spec;
  std::unique_ptr<PastFile> past;
};
std::expected<OpenPast, store::Problem> open_past(const std::string& path);

}  // namespace fanfare::canvasstore
