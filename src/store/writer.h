#pragma once
// The store's thread: writes what waits in one commit, then reports it, then serves reads. Everything here runs on that
// thread, except make() and the counters.
//
// A commit that fails takes all its topics out of service: nobody knows which of its events the disk has. Each waits for
// begin(), which drops what the disk has of it. After damage the file is opened again before that, which moves it aside.

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/log_limiter.h"
#include "base/time.h"
#include "store/event_file.h"
#include "store/queue.h"

namespace fanfare::store {

class Writer {
 public:
  // Opens the file; a damaged one is moved aside.
  static std::expected<std::unique_ptr<Writer>, Problem> make(FileSettings settings, Duration sync_interval,
                                                              Clock& clock);

  void run(std::vector<Task> tasks);
  // Syncs and drops old events as far as it is time. Returns when it wants to be called again.
  Instant tick();
  // Nothing follows.
  void close();

  std::atomic<std::uint64_t> stored = 0;
  std::atomic<std::uint64_t> commits = 0;
  std::atomic<std::uint64_t> failures = 0;

  // Of one commit: what comes in the meantime waits for the next.
  static constexpr std::size_t kCommitEventsMax = 1000;
  static constexpr std::size_t kCommitBytesMax = std::size_t{4} << 20;

 private:
  struct Change {  // of one topic, in the commit under way
    Position last;
    StoredTotals totals;
    std::size_t events = 0;
  };
  using Reports = std::vector<std::pair<TopicPtr, pubsub::StoreReport>>;

  Writer(FileSettings settings, Duration sync_interval, Clock& clock)
      : settings_(std::move(settings)), sync_interval_(sync_interval), clock_(clock) {}
  static std::expected<std::unique_ptr<EventFile>, Problem> open_file(const FileSettings& settings,
                                                                      Clock& clock);
  void append(AppendTask& task);
  void commit();
  bool write_changes();
  void give_up_changes();
  void begin(BeginTask& task);
  void erase(EraseTask& task);
  void open(OpenTask& task);
  OpenResult open_topic(OpenTask& task);
  bool load(OpenTask& task, pubsub::EventStore::Opened& opened);
  void read(ReadTask& task);
  bool trim(DiskTopic& topic, const StoredTopic& row, StoredTotals& totals);
  void drop_aged();
  void publish_range(DiskTopic& topic) const;
  void note_failure(const Problem& problem);
  // The file is not what was written: no topic works any more.
  void give_up_file();
  void send_reports();
  std::int64_t now_ms();

  const FileSettings settings_;
  const Duration sync_interval_;
  Clock& clock_;
  std::unique_ptr<EventFile> file_;  // null: damaged, and not opened again yet
  std::unordered_map<std::string, TopicPtr> topics_;
  std::unordered_map<TopicPtr, Change> changes_;  // of the transaction; it is under way if there are any
  std::size_t change_events_ = 0;
  std::size_t change_bytes_ = 0;
  Reports reports_;  // of what is decided and not reported
  bool is_dirty_ = false;
  Instant sync_at_ = Instant::max();
  Instant age_at_ = Instant::max();
  LogLimiter failed_{log::Level::error, "store_failed"};
};

}  // namespace fanfare::store
