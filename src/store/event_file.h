#pragma once
// The file that holds the events of topics: a SQLite database in WAL mode. One thread at a time.
//
//   topics  id, name, epoch, last_offset, checksum       one row a topic; last_offset stays when events go
//   events  (topic, offset), time, checksum, frame       time: milliseconds since 1970
//   state   key, value                                   session: "closed", or "open SYNC BOOT"; commits: a number
//
// SQLite notices damage to its own structure only, so each row has a CRC-32 of what it means. Beside the file lies
// PATH-mark with the number of the last commit. It is written after the commit and before anybody gets the events. If
// the file has fewer commits than the mark says, then the write-ahead log was lost, or an old copy was put back.
//
// open() finds out whether events may be missing at the end that clients have seen. Then it drops all topics, so that
// each begins with another epoch.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/shared_bytes.h"
#include "fanfare/store.h"
#include "fanfare/topic.h"
#include "store/commit_mark.h"
#include "store/statement.h"

namespace fanfare::store {

struct FileSettings {
  std::string path;
  StoreSync sync = StoreSync::interval;
  std::uint64_t bytes_max = 0;  // of the file, in steps of a page
  // Identifies the start of this machine's kernel. What was written before it began may be lost.
  std::string boot_id;
};

struct StoredTopic {
  std::int64_t id = 0;
  Position last;
};

struct StoredRow {
  std::uint64_t offset = 0;
  std::int64_t time_ms = 0;
  SharedBytes frame;
};

// Of the events of one topic.
struct StoredTotals {
  std::uint64_t first_offset = 1;  // of the oldest
  std::int64_t first_time_ms = 0;
  std::size_t messages = 0;
  std::size_t bytes = 0;
};

class EventFile {
 public:
  // Creates the file if there is none, readable for its owner only. Reads and checks all of it.
  static std::expected<std::unique_ptr<EventFile>, Problem> open(FileSettings settings);
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  // Closes it as after a crash, if close() was not called.
  ~EventFile();

  // What open() found to be possibly missing: why all topics were dropped. Empty: nothing.
  const std::string& loss() const { return loss_; }

  // Within begin() and commit(). False: problem() says why; call rollback().
  bool begin();
  bool commit();
  void rollback();
  const Problem& problem() const { return problem_; }

  // The topic with this epoch and no events; replaces one of the same name.
  std::optional<StoredTopic> make_topic(std::string_view name, std::uint64_t epoch);
  bool append(const StoredTopic& topic, Position position, std::int64_t time_ms, Bytes frame);
  // The topic's row: its last position.
  bool set_last(const StoredTopic& topic, std::string_view name, Position last);
  bool drop_events(const StoredTopic& topic, std::uint64_t until_offset);
  bool drop_topic(const StoredTopic& topic);

  // Outside of begin() and commit(). An error is in problem(), too.
  std::expected<std::optional<StoredTopic>, Problem> find_topic(std::string_view name);
  std::expected<StoredTotals, Problem> totals(const StoredTopic& topic);
  // The events behind the offset, in order: at most so many bytes and messages, at least one if there is any.
  std::expected<std::vector<StoredRow>, Problem> read(const StoredTopic& topic, std::uint64_t after_offset,
                                                      std::size_t messages_max, std::size_t bytes_max);
  // What has to go from the front for the topic to keep the limits, `first` being its oldest.
  struct Cut {
    std::uint64_t until_offset = 0;  // 0: nothing
    std::size_t messages = 0;
    std::size_t bytes = 0;
    std::int64_t next_time_ms = 0;  // of the oldest that stays
  };
  std::expected<Cut, Problem> find_cut(const StoredTopic& topic, const StoredTotals& now,
                                       const HistoryLimits& limits, std::int64_t now_ms);
  // The offset before the newest events that the limits allow.
  std::expected<std::uint64_t, Problem> before_newest(const StoredTopic& topic, const HistoryLimits& limits,
                                                      std::int64_t now_ms);

  // Waits until all commits are on the disk.
  bool sync();
  // sync(), and marks the file as closed. False: it counts as crashed.
  bool close();

  // Moves a damaged file and what lies beside it to another name. Returns that name; empty: it cannot.
  static std::string move_aside(const std::string& path, std::int64_t now_ms);

 private:
  struct Statements;

  explicit EventFile(FileSettings settings);
  std::expected<void, Problem> prepare(bool is_new);
  std::expected<std::string, Problem> find_loss();
  std::expected<void, Problem> start_session();
  std::string state(std::string_view key);
  bool set_state(std::string_view key, std::string_view value);
  bool execute(const char* text);
  bool fail(std::string_view doing);
  Problem failed(std::string_view doing);

  const FileSettings settings_;
  sqlite3* database_ = nullptr;
  CommitMark mark_;
  std::uint64_t commits_ = 0;
  std::unique_ptr<Statements> statements_;
  std::string loss_;
  Problem problem_;
};

}  // namespace fanfare::store
