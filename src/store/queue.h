#pragma once
// What the store's thread has to do, in order. Any thread pushes, the store's thread takes.

#include <condition_variable>
#include <cstdint>
#include <expected>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "pubsub/event_store.h"
#include "store/event_file.h"

namespace fanfare::store {

// A topic that is open.
struct DiskTopic {
  DiskTopic(std::string its_name, HistoryLimits its_limits, pubsub::EventStore::Report its_report)
      : name(std::move(its_name)), limits(its_limits), report(std::move(its_report)) {}

  pubsub::StoredRange range() const {
    const std::scoped_lock lock(mutex_);
    return range_;
  }
  void set_range(const pubsub::StoredRange& range) {
    const std::scoped_lock lock(mutex_);
    range_ = range;
  }

  const std::string name;
  const HistoryLimits limits;
  const pubsub::EventStore::Report report;

  // The store's thread:
  StoredTopic row;      // as of the last commit
  StoredTotals totals;  // the same
  bool works = false;   // false: it waits for begin()
  bool is_erased = false;

 private:
  mutable std::mutex mutex_;  // guards range_
  pubsub::StoredRange range_;
};

using TopicPtr = std::shared_ptr<DiskTopic>;
using OpenResult = std::expected<pubsub::EventStore::Opened, std::string>;

struct AppendTask {
  TopicPtr topic;
  Position position;
  SharedBytes frame;
  std::int64_t time_ms;
};
struct BeginTask {
  TopicPtr topic;
  std::uint64_t epoch;
};
struct EraseTask {
  TopicPtr topic;
};
struct CloseTask {
  TopicPtr topic;
  std::promise<void> done;
};
struct OpenTask {
  TopicPtr topic;
  HistoryLimits in_memory;
  std::uint64_t new_epoch;
  std::promise<OpenResult> done;
};
struct ReadTask {
  TopicPtr topic;
  Position after;
  std::size_t bytes_max;
  pubsub::TopicStore::Read done;
};
using Task = std::variant<AppendTask, BeginTask, EraseTask, CloseTask, OpenTask, ReadTask>;

class TaskQueue {
 public:
  // False: the store ends, and the task was destroyed.
  bool push(Task task) {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return false;
    tasks_.push_back(std::move(task));
    changed_.notify_one();
    return true;
  }
  // Waits for tasks, the end, or this time. Empty optional: the end, and nothing is left.
  std::optional<std::vector<Task>> take(Instant until) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [&] { return stopping_ || !tasks_.empty(); });
    if (stopping_ && tasks_.empty()) return std::nullopt;
    return std::exchange(tasks_, {});
  }
  void stop() {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return tasks_.size();
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Task> tasks_;
  bool stopping_ = false;
};

}  // namespace fanfare::store
