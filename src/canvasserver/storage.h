#pragma once
// What a room needs from its disk. src/canvasstore implements it; this room knows no database.
//
// A room passes each tick to append() before it shows the tick, and says mark_shown() when it does. With `sync: full` it
// shows nothing before committed() has reached the tick, unless the disk fails. After a restart the file goes on with its
// versions. If a tick that was shown is not in the file, it begins a new epoch.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "canvas/place.h"
#include "canvas/tick.h"
#include "fanfare/unique_function.h"

namespace fanfare::canvasserver {

struct LoggedChunk {
  canvas::ChunkId chunk;
  canvas::Version version = 0;  // after the tick
  std::vector<canvas::TickPixel> pixels;
};
struct LoggedUser {
  std::uint32_t number = 0;
  std::string id;    // "u17"
  std::string name;  // shown to others
};
struct LoggedTick {
  std::uint64_t tick = 0;  // one more than the one before
  std::int64_t time_ms = 0;
  std::vector<LoggedChunk> chunks;
  std::vector<canvas::ModerationEvent> events = {};
  std::vector<LoggedUser> users = {};  // who draw for the first time
  std::vector<canvas::TakenBack> taken_back = {};
  // The log forgets what was before and begins with this state: the pixels are all that are drawn, and `tick` is any number. In memory only.
  bool is_base = false;
};

// The pixels of a chunk, row by row, 256 in each row also at the edges.
struct ChunkPixels {
  std::vector<canvas::Colour> colours;
  std::vector<canvas::UserNumber> users;  // who drew last; 0: nobody. Empty if they were not asked for
};
struct StoredChunk {
  canvas::ChunkId chunk;
  canvas::Version version = 0;
  ChunkPixels pixels;
};

struct LogPixel {
  std::int64_t time_ms = 0;
  std::uint32_t x = 0;
  std::uint32_t y = 0;
  std::uint32_t colour = 0;
  std::uint32_t user = 0;
  std::uint64_t tick = 0;

  bool operator==(const LogPixel&) const = default;
};

struct LogTakenBack {
  std::uint64_t tick = 0;
  canvas::TakenBack what;

  bool operator==(const LogTakenBack&) const = default;
};

// Turns true, once, when nobody waits for a result any more. Null: somebody always does.
using Abandonment = std::shared_ptr<const std::atomic<bool>>;
inline bool is_abandoned(const Abandonment& abandonment) {
  return abandonment != nullptr && abandonment->load(std::memory_order_relaxed);
}

// What a log says to a task that nobody waits for.
inline constexpr std::string_view kPastUnwanted = "nobody waits for this any more";

// The log, read backward and forward. Errors are texts for people. Used within the call that it is passed to.
class PastLog {
 public:
  PastLog() = default;
  PastLog(const PastLog&) = delete;
  PastLog& operator=(const PastLog&) = delete;
  // False: nobody waits for the result any more, or the room ends. Then what reads much ends with an error. Tasks with
  // other long work ask it now and then.
  bool is_wanted() const { return !wanted_ || wanted_(); }
  // Empty: it is always wanted.
  void set_wanted(std::function<bool()> wanted) { wanted_ = std::move(wanted); }

  template <typename Value>
  using Result = std::expected<Value, std::string>;

  virtual ~PastLog() = default;
  // From when on the past is known, and the time of the newest tick, in milliseconds since 1970; 0: there is none.
  struct Span {
    std::int64_t first_ms = 0;
    std::int64_t last_ms = 0;
    bool is_complete = true;  // nothing was dropped: before first_ms the canvas was blank
  };
  virtual Result<Span> span() = 0;
  // The chunks that existed at that time, with their pixels; without the users, if those are not wanted.
  virtual Result<std::vector<StoredChunk>> chunks_at(const canvas::Area& area, std::int64_t at_ms,
                                                     bool with_users) = 0;
  // The last pixels drawn at a place, newest first.
  virtual Result<std::vector<LogPixel>> drawn_at(std::uint32_t x, std::uint32_t y, std::size_t count_max) = 0;
  // What was drawn in the area since then by this user (by anybody, if empty), oldest first. The visitor returns
  // false to stop.
  using Visit = std::function<bool(const LogPixel&)>;
  virtual Result<void> visit(const canvas::Area& area, std::int64_t since_ms, std::int64_t until_ms,
                             std::optional<std::uint32_t> user, const Visit& visit) = 0;
  // What was taken back in a chunk in this tick and later ones, in order.
  virtual Result<std::vector<LogTakenBack>> taken_back(canvas::ChunkId chunk, std::uint64_t from) = 0;
  // The first tick at or after this time. If all are earlier: the number after the last one.
  virtual Result<std::uint64_t> tick_from(std::int64_t at_ms) = 0;
  virtual Result<std::vector<LoggedUser>> users(const std::vector<std::uint32_t>& numbers) = 0;

 private:
  std::function<bool()> wanted_;
};

// What a file had when it was opened.
struct StoredRoom {
  std::uint64_t epoch = 0;
  std::uint64_t last_tick = 0;
  std::uint32_t last_user = 0;     // the highest number that was used
  std::uint64_t pixels_total = 0;  // drawn since the file was made
  std::int64_t first_ms = 0;       // time of the first and of the last pixel; 0: none
  std::int64_t last_ms = 0;
  std::int64_t last_tick_ms = 0;              // the greatest time of a tick
  std::vector<StoredChunk> chunks;            // as of last_tick, with users
  std::vector<canvas::ModerationEvent> bans;  // the last one of each user
};

struct StorageMetrics {
  std::uint64_t commits = 0;
  std::uint64_t failures = 0;
  std::uint64_t unsaved_bytes = 0;  // now
  std::uint64_t file_bytes = 0;     // now
  std::int64_t past_from_ms = 0;    // where the past was cut; 0: it was not
  bool is_failing = false;
};

// Any thread, unless stated otherwise.
class RoomStorage {
 public:
  virtual ~RoomStorage() = default;

  // What the file had. Once, before anything else.
  virtual StoredRoom take_loaded() = 0;
  // The room's thread. Ticks come in order, also while the disk fails: they wait in memory, and accepts() is false.
  virtual void append(LoggedTick tick) = 0;
  // The room's thread: this tick and those before it are about to be shown to clients.
  virtual void mark_shown(std::uint64_t tick) = 0;
  // The last tick that a `kill -9` cannot take back. With `sync: full` it also survives a loss of power.
  virtual std::uint64_t committed() const = 0;
  // Whether the room shows a tick only after its commit.
  virtual bool is_full_sync() const = 0;
  // False: the disk is full or fails, or too much waits for it. Drawing must be refused.
  virtual bool accepts() const = 0;
  virtual bool is_failing() const = 0;
  // Called on the storage's thread whenever committed(), accepts() or is_failing() has changed. Set before the first
  // append().
  virtual void on_progress(std::function<void()> notify) = 0;
  // Runs the task on a thread for reading, after everything that was appended before is in the log. What moderators ask
  // comes before pictures, which anybody may ask for. A task that is abandoned, or that the end of the room finds waiting
  // or running, gets errors from the log. False: too many wait, and the task was destroyed.
  using PastTask = UniqueFunction<void(PastLog&)>;
  enum class PastUse : std::uint8_t { moderation, picture };
  virtual bool read_past(PastTask task, PastUse use, Abandonment abandonment) = 0;
  virtual StorageMetrics metrics() const = 0;
  // Writes what was appended, ends the tasks that read the past, and releases the file: it can be opened again. After this
  // read_past() is false. Not on a thread of the storage, and not during another call of this or of append(). The destructor
  // calls it if nobody has.
  virtual void close() = 0;
};

// Opens the storage of a room, in the file or in memory. Errors: a text for people.
struct StorageOptions {
  std::string path = {};  // empty: in memory
  canvas::RoomSpec spec = {};
  bool full_sync = false;
  std::chrono::milliseconds sync_interval = std::chrono::milliseconds(1000);  // without full_sync
  // Of the file with its log. Beyond it the oldest part of the past is dropped.
  std::uint64_t history_bytes_max = std::uint64_t{4} << 30;
  std::uint64_t new_epoch = 0;  // at random
};
using OpenStorage =
    std::function<std::expected<std::unique_ptr<RoomStorage>, std::string>(const StorageOptions&)>;
// The same as a type that fanfare/canvas.h can name without this header.
struct StorageOpener {
  OpenStorage open;
};

}  // namespace fanfare::canvasserver
