#pragma once
// The way of a topic's events to disk. Behind this interface stands a real store (src/store); the hub knows no
// file.
//
//   home loop: append() -> the store's thread writes -> report `stored` -> home loop: to all loops
//
// An event is passed to subscribers after it was stored, so no client ever holds a position that the disk does
// not have. If the store fails, the topic goes on in memory with a new epoch (pubsub/keeper.h).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/shared_bytes.h"
#include "base/time.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"

namespace fanfare::pubsub {

struct StoredEvent {
  Position position;
  SharedBytes frame;
  Instant at;
};

// What the disk holds of a topic. Empty: first_offset is last_offset + 1. An epoch of zero: nothing, and no
// event is stored at the moment.
struct StoredRange {
  std::uint64_t epoch = 0;
  std::uint64_t first_offset = 1;
  std::uint64_t last_offset = 0;
  std::size_t messages = 0;
  std::size_t bytes = 0;
};

struct StoreReport {
  enum class Kind : std::uint8_t {
    stored,     // this event and all appended before it
    failed,     // this event and all appended after it, until the next begin()
    begun,      // the answer to begin() with this epoch
    not_begun,  // the same: it cannot store yet
  };
  Kind kind = Kind::stored;
  Position position;
};

// One topic of a store. Any thread; no call waits for the disk unless it says so.
class TopicStore {
 public:
  // In order; empty: nothing behind the position can be read.
  using Read = UniqueFunction<void(std::vector<StoredEvent>)>;

  virtual ~TopicStore() = default;
  // The event that follows the last one of the topic's epoch. Reported later, not within the call; one report
  // may stand for several events.
  virtual void append(Position position, SharedBytes frame) = 0;
  // After `failed`: what the disk has of the topic is dropped, and its next event is 1 of this epoch.
  virtual void begin(std::uint64_t epoch) = 0;
  // Events behind the position, as many as fit into so many bytes, at least one. `done` is called later on the
  // store's thread, or destroyed when the store ends.
  virtual void read(Position after, std::size_t bytes_max, Read done) = 0;
  virtual StoredRange range() const = 0;
  // The topic was removed, and so are its events on disk. What is appended afterwards is reported as stored,
  // and forgotten.
  virtual void erase() = 0;
  // Waits until what was appended is on disk. Nothing is reported afterwards, and the name is free.
  virtual void close() = 0;
};

// How a topic goes on when the disk does not.
struct StoreTimes {
  // An event that waits longer for the disk than this counts as failed.
  Duration stall_max = std::chrono::seconds(5);
  // How often a topic that goes on in memory tries the store again.
  Duration retry_interval = std::chrono::seconds(5);
};

class EventStore {
 public:
  using Report = std::function<void(const StoreReport&)>;

  struct Opened {
    std::unique_ptr<TopicStore> topic;
    Position last;                    // the next event follows it
    std::vector<StoredEvent> newest;  // up to `last`, without a gap
    bool works = true;                // false: as after `failed`
  };
  struct Wanted {
    HistoryLimits on_disk;
    HistoryLimits in_memory;      // how many of the newest are wanted at once
    std::uint64_t new_epoch = 0;  // of a topic that the disk does not have
  };

  virtual ~EventStore() = default;
  // Reads the disk. `report` is called on the store's thread. An error names what cannot be used; a disk that
  // fails is no error here.
  virtual std::expected<Opened, std::string> open(std::string_view name, const Wanted& wanted,
                                                  Report report) = 0;
  virtual StoreTimes times() const = 0;
  // What its file may hold.
  virtual std::uint64_t bytes_max() const { return UINT64_MAX; }
};

// A topic's part that any thread may use.
class StoredPart {
 public:
  StoredPart(EventStore::Opened opened, StoreTimes its_times)
      : store(std::move(opened.topic)),
        times(its_times),
        last(opened.last),
        works_at_first(opened.works),
        newest_(std::make_shared<const std::vector<StoredEvent>>(std::move(opened.newest))) {}

  // What a loop's log begins with. Each loop asks once; afterwards nothing is kept here.
  std::shared_ptr<const std::vector<StoredEvent>> take_newest(std::size_t loops) {
    const std::scoped_lock lock(mutex_);
    const auto taken = newest_;
    if (++taken_ >= loops) newest_ = std::make_shared<const std::vector<StoredEvent>>();
    return taken;
  }

  const std::unique_ptr<TopicStore> store;
  const StoreTimes times;
  const Position last;
  const bool works_at_first;
  std::atomic<std::uint64_t> unstored = 0;  // events that went on in memory only

 private:
  std::mutex mutex_;  // guards what follows
  std::size_t taken_ = 0;
  std::shared_ptr<const std::vector<StoredEvent>> newest_;
};

}  // namespace fanfare::pubsub
