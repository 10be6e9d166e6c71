#pragma once
// For the store's tests: a folder of its own, and a topic whose reports can be waited for.

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "store/disk_store.h"

namespace fanfare::store {

class Folder {
 public:
  Folder() {
    path_ = std::filesystem::temp_directory_path() /
            ("fanfare-store-" + std::to_string(SystemRandom().next_u64()));
    std::filesystem::create_directory(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  std::string file(std::string_view name = "events") const { return (path_ / name).string(); }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::filesystem::path path_;
};

// A wall clock that a test moves. Any thread.
class TestClock final : public Clock {
 public:
  Instant now() override { return system_clock().now(); }
  WallTime wall_now() override { return system_clock().wall_now() + Duration(offset_.load()); }
  void advance(Duration by) { offset_ += by.count(); }

 private:
  std::atomic<Duration::rep> offset_ = 0;
};

inline SharedBytes frame_of(std::string_view text) {
  return SharedBytes(as_bytes(text));
}

// One open topic.
class TopicInTest {
 public:
  TopicInTest(DiskStore& store, const std::string& name, HistoryLimits on_disk, HistoryLimits in_memory = {},
              std::uint64_t new_epoch = 77) {
    auto opened_now = store.open(name, {.on_disk = on_disk, .in_memory = in_memory, .new_epoch = new_epoch},
                                 [this](const pubsub::StoreReport& report) {
                                   const std::scoped_lock lock(mutex_);
                                   reports_.push_back(report);
                                   changed_.notify_all();
                                 });
    EXPECT_TRUE(opened_now) << opened_now.error();
    topic = std::move(opened_now->topic);
    opened = *std::move(opened_now);
    last = opened.last;
  }
  ~TopicInTest() { topic->close(); }

  void append(std::string_view text) {
    ++last.offset;
    topic->append(last, frame_of(text));
  }
  // Waits for the next report, and joins reports of the same kind up to this one.
  pubsub::StoreReport wait_for(Position position) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(60), [&] {
      return !reports_.empty() && reports_.back().position.epoch == position.epoch &&
             reports_.back().position.offset >= position.offset;
    });
    EXPECT_TRUE(came);
    return came ? reports_.back()
                : pubsub::StoreReport{.kind = pubsub::StoreReport::Kind::not_begun, .position = {}};
  }
  // Appends and waits. False: it failed.
  bool store(std::string_view text) {
    append(text);
    return wait_for(last).kind == pubsub::StoreReport::Kind::stored;
  }
  bool begin(std::uint64_t epoch) {
    topic->begin(epoch);
    last = {.epoch = epoch, .offset = 0};
    std::unique_lock lock(mutex_);
    const auto answers = [&] {
      return !reports_.empty() && reports_.back().position == last &&
             reports_.back().kind >= pubsub::StoreReport::Kind::begun;
    };
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), answers));
    return reports_.back().kind == pubsub::StoreReport::Kind::begun;
  }
  std::vector<std::string> read(std::uint64_t after, std::size_t bytes_max = 1 << 20) const {
    std::promise<std::vector<std::string>> done;
    topic->read({.epoch = last.epoch, .offset = after}, bytes_max,
                [&](const std::vector<pubsub::StoredEvent>& events) { done.set_value(texts_of(events)); });
    return done.get_future().get();
  }
  static std::vector<std::string> texts_of(const std::vector<pubsub::StoredEvent>& events) {
    std::vector<std::string> texts;
    for (const auto& event : events) texts.emplace_back(as_text(event.frame.view()));
    return texts;
  }

  std::unique_ptr<pubsub::TopicStore> topic;
  pubsub::EventStore::Opened opened;
  Position last;

 private:
  std::mutex mutex_;  // guards reports_
  std::condition_variable changed_;
  std::vector<pubsub::StoreReport> reports_;
};

}  // namespace fanfare::store
