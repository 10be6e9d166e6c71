#pragma once
// For the tests of rooms on disk: a folder of its own, ticks, and a storage that can be waited for.

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "canvasstore/disk_room.h"

namespace fanfare::canvasstore {

using canvasserver::LoggedTick;
using canvasserver::PastLog;
using canvasserver::RoomStorage;
using canvasserver::StorageOptions;

class Folder {
 public:
  explicit Folder(const std::filesystem::path& parent = std::filesystem::temp_directory_path()) {
    path_ = parent / ("fanfare-canvas-" + std::to_string(SystemRandom().next_u64()));
    std::filesystem::create_directory(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  std::string file() const { return path_ / "main.canvas"; }

 private:
  std::filesystem::path path_;
};

inline constexpr std::int64_t kStart = 1'700'000'000'000;  // milliseconds since 1970
inline constexpr canvas::ChunkId kFirst{.x = 0, .y = 0};
inline constexpr canvas::ChunkId kSecond{.x = 1, .y = 0};

// One pixel in one chunk, whose version is that of the tick unless one is given.
inline LoggedTick tick_of(std::uint64_t tick, std::int64_t time_ms, std::uint16_t index,
                          canvas::Colour colour, canvas::UserNumber user = 1, canvas::ChunkId chunk = kFirst,
                          canvas::Version version = 0) {
  return {
      .tick = tick,
      .time_ms = time_ms,
      .chunks = {{.chunk = chunk,
                  .version = version == 0 ? tick : version,
                  .pixels = {{.index = index, .user = user, .colour = colour}}}},
      .events = {},
      .users = {{.number = user, .id = "u" + std::to_string(user), .name = "name " + std::to_string(user)}}};
}

// A storage that can be waited for.
class TestStorage {
 public:
  explicit TestStorage(StorageOptions options) {
    auto opened = DiskRoom::open(options);
    if (!opened) {
      error = opened.error();
      return;
    }
    storage = *std::move(opened);
    loaded = storage->take_loaded();
    storage->on_progress([this] {
      const std::scoped_lock lock(mutex_);
      ++changes_;
      changed_.notify_all();
    });
  }
  ~TestStorage() { storage.reset(); }

  // Until the condition holds.
  template <typename Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), condition);
  }
  bool wait_committed(std::uint64_t tick) {
    return wait([&] { return storage->committed() >= tick; });
  }
  // What the past says, from its thread.
  template <typename Ask>
  auto ask(Ask ask) {
    auto answer = std::make_shared<std::promise<decltype(ask(std::declval<PastLog&>()))>>();
    auto future = answer->get_future();
    EXPECT_TRUE(storage->read_past([answer, ask](PastLog& log) mutable { answer->set_value(ask(log)); },
                                   RoomStorage::PastUse::moderation, nullptr));
    return future.get();
  }
  std::vector<canvasserver::StoredChunk> at(std::int64_t at_ms) {
    return ask([&](PastLog& log) { return log.chunks_at({.width = 1000, .height = 1000}, at_ms, true); })
        .value();
  }
  // The colour of a pixel of the first chunk at that time; ~0: there was no chunk.
  canvas::Colour colour_at(std::int64_t at_ms, std::uint16_t index) {
    const auto chunks = at(at_ms);
    return chunks.empty() ? ~0U : chunks.front().pixels.colours[index];
  }

  std::string error;
  std::unique_ptr<RoomStorage> storage;
  canvasserver::StoredRoom loaded;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t changes_ = 0;
};

}  // namespace fanfare::canvasstore
