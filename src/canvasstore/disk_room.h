#pragma once
// The storage of one room: its file, the thread that writes it, and the thread that reads the past. In memory the first
// thread does both.
//
// The writer's thread commits what has come: at once with full_sync, otherwise half of sync_interval after the first tick
// that waits, so that a kill -9 or a loss of power takes back sync_interval at most. A commit that fails is repeated every
// kRetryInterval until it works. Meanwhile the ticks wait in memory and nothing else may be drawn.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/log_limiter.h"
#include "base/time.h"
#include "canvasserver/storage.h"
#include "canvasstore/room_file.h"

namespace fanfare::canvasstore {

// Ticks that wait for the disk: beyond it nothing more may be drawn.
inline constexpr std::size_t kUnsavedBytesMax = std::size_t{32} << 20;
// What waits is committed at once if there is so much of it.
inline constexpr std::size_t kCommitBytesMax = std::size_t{4} << 20;
// Tasks that read the past, in all and for pictures.
inline constexpr std::size_t kPastTasksMax = 64;
inline constexpr std::size_t kPastPicturesMax = 32;
inline constexpr Duration kRetryInterval = std::chrono::seconds(1);

class DiskRoom final : public canvasserver::RoomStorage {
 public:
  static std::expected<std::unique_ptr<canvasserver::RoomStorage>, std::string> open(
      const canvasserver::StorageOptions& options);
  DiskRoom(const DiskRoom&) = delete;
  DiskRoom& operator=(const DiskRoom&) = delete;
  ~DiskRoom() override;

  canvasserver::StoredRoom take_loaded() override { return std::move(loaded_); }
  void append(canvasserver::LoggedTick tick) override;
  void mark_shown(std::uint64_t tick) override;
  std::uint64_t committed() const override { return committed_.load(std::memory_order_acquire); }
  bool is_full_sync() const override { return options_.full_sync; }
  bool accepts() const override {
    return !is_failing() && unsaved_bytes_.load(std::memory_order_relaxed) < kUnsavedBytesMax;
  }
  bool is_failing() const override { return is_failing_.load(std::memory_order_acquire); }
  void on_progress(std::function<void()> notify) override;
  bool read_past(PastTask task, PastUse use, canvasserver::Abandonment abandonment) override;
  canvasserver::StorageMetrics metrics() const override;
  void close() override;

 private:
  DiskRoom(canvasserver::StorageOptions options, std::unique_ptr<RoomFile> file, OpenPast past,
           canvasserver::StoredRoom loaded);
  void run_writer();
  void run_reader();
  // Commits the batch. False: it failed.
  bool commit();
  void tidy();
  void note_past();
  void set_failing(bool is_failing);
  void notify();
  struct Asking {
    PastTask task;
    PastUse use = PastUse::picture;
    canvasserver::Abandonment abandonment;
    bool is_current = true;  // the log has everything
  };
  void hand_over(std::vector<Asking> tasks);
  void finish(PastUse use);
  bool read_next(canvasserver::PastLog& past);
  bool in_memory() const { return past_.past == nullptr; }
  Instant next_commit() const;
  void run_past(Asking& asking, canvasserver::PastLog& past) const;

  const canvasserver::StorageOptions options_;
  std::unique_ptr<RoomFile> file_;  // null: closed
  OpenPast past_;                   // of the reader; none in memory
  canvasserver::StoredRoom loaded_;

  // The writer's thread:
  std::vector<canvasserver::LoggedTick> batch_;
  Instant retry_at_ = Instant::min();
  bool tidies_ = true;
  LogLimiter failed_{log::Level::error, "canvas_storage_failed"};

  std::atomic<std::uint64_t> committed_;
  std::atomic<bool> is_failing_ = false;
  std::atomic<std::uint64_t> unsaved_bytes_ = 0;
  std::atomic<std::uint64_t> file_bytes_ = 0;
  std::atomic<std::uint64_t> commits_ = 0;
  std::atomic<std::uint64_t> failures_ = 0;
  std::atomic<std::int64_t> past_from_ms_ = 0;
  std::atomic<bool> past_ends_ = false;  // nobody waits for an answer any more

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<canvasserver::LoggedTick> waiting_;
  std::size_t waiting_bytes_ = 0;
  Instant waiting_since_;
  std::vector<Asking> asking_;  // for the past, after what waits was committed
  std::deque<Asking> reading_;  // pictures come last
  std::condition_variable readable_;
  std::size_t past_tasks_ = 0;     // asking, or reading
  std::size_t past_pictures_ = 0;  // of these
  std::function<void()> notify_;
  bool stopping_ = false;
  bool reader_stops_ = false;

  std::thread writer_;
  std::thread reader_;  // none in memory
};

}  // namespace fanfare::canvasstore
