#pragma once
// Tasks from other threads for one loop: many threads push, one takes. Lock-free: a push is one
// compare-and-swap, plus one addition for a task that counts against the limits. Order is kept per pushing
// thread.
//
//   newest_ -> entry -> entry -> entry    pushed, newest first; kClosed in place of the first: closed
//   oldest_ -> entry -> entry             the reader's: taken, oldest first; may remain from its last turn
//
// A task may refer to objects that no longer exist when it would run. Their owner must close the mailbox
// before destroying them: from then on tasks are destroyed, never run.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "fanfare/options.h"
#include "fanfare/unique_function.h"

namespace fanfare::net {

using Task = UniqueFunction<void()>;

enum class PostResult : std::uint8_t {
  accepted,  // it will run, unless the mailbox is closed first
  full,      // rejected: a limit is reached
  stopped,   // rejected: the mailbox is closed
};

// Limits for tasks pushed after reserve(). At either limit the next task is rejected. Only waiting tasks
// count, so a single task may be larger.
struct MailboxLimits {
  std::size_t tasks_max = Limits{}.mailbox_tasks_max;
  std::size_t bytes_max = Limits{}.mailbox_bytes_max;
};

class Mailbox {
 public:
  explicit Mailbox(const MailboxLimits& limits = {})
      : tasks_max_(std::min(limits.tasks_max, kTasksMax)),
        bytes_max_(std::min(limits.bytes_max, kBytesMax)) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox() { close(); }

  enum class Pushed : std::uint8_t {
    first,   // the mailbox was empty: the pusher must wake the reader
    behind,  // other tasks are waiting already
    closed,  // the task was destroyed in this call
  };
  // Any thread. Not limited.
  Pushed push(Task task) { return push(std::move(task), 0); }

  // Any thread. Reserves space for one task of `bytes` bytes; follow with push_reserved() or give_back().
  PostResult reserve(std::size_t bytes) {
    if (newest_.load(std::memory_order_relaxed) == closed_mark()) return PostResult::stopped;
    const std::uint64_t cost = cost_of(bytes);
    const std::uint64_t before = reserved_.fetch_add(cost, std::memory_order_relaxed);
    if ((before >> kByteBits) < tasks_max_ && (before & kBytesMask) < bytes_max_) return PostResult::accepted;
    reserved_.fetch_sub(cost, std::memory_order_relaxed);
    return PostResult::full;
  }
  void give_back(std::size_t bytes) { reserved_.fetch_sub(cost_of(bytes), std::memory_order_relaxed); }
  Pushed push_reserved(Task task, std::size_t bytes) { return push(std::move(task), cost_of(bytes)); }

  // The reader's thread: whether no task is waiting.
  bool empty() const {
    if (oldest_ != nullptr) return false;
    const Entry* newest = newest_.load(std::memory_order_acquire);
    return newest == nullptr || newest == closed_mark();
  }

  // The reader's thread. Runs the waiting tasks, oldest first, while may_go_on() returns true; it is called
  // between two tasks. Remaining tasks, and those that arrive meanwhile, wait for the next call.
  template <typename MayGoOn>
  void run(MayGoOn&& may_go_on) {
    if (oldest_ == nullptr) take();
    std::uint64_t done = 0;
    while (oldest_ != nullptr) {
      Entry* entry = oldest_;
      oldest_ = entry->older;
      entry->task();
      done += entry->cost;
      delete entry;
      if (oldest_ == nullptr || !may_go_on()) break;
    }
    if (done > 0) reserved_.fetch_sub(done, std::memory_order_relaxed);
  }

  // The reader's thread, or the last thread that uses the mailbox. Destroys waiting tasks. Tasks pushed later
  // are destroyed by the pushing thread.
  void close() {
    while (oldest_ != nullptr) drop_oldest();
    Entry* newest = newest_.exchange(closed_mark(), std::memory_order_acq_rel);
    if (newest == closed_mark()) return;
    put_in_order(newest);
    // The destructor of a task's captures may push again; by then nothing is waiting.
    while (oldest_ != nullptr) drop_oldest();
  }

 private:
  struct Entry {
    Task task;
    Entry* older;  // after it is taken: the next younger entry
    std::uint64_t cost;
  };

  // Task count and byte count share one number, so that one addition reserves both.
  static constexpr unsigned kByteBits = 40;
  static constexpr std::uint64_t kBytesMask = (std::uint64_t{1} << kByteBits) - 1;
  static constexpr std::size_t kTasksMax = std::size_t{1} << 22;
  static constexpr std::size_t kBytesMax = std::size_t{1} << 38;

  static std::uint64_t cost_of(std::size_t bytes) {
    return (std::uint64_t{1} << kByteBits) + std::min<std::uint64_t>(bytes, kBytesMax);
  }
  // A marker that is never dereferenced.
  static Entry* closed_mark() { return reinterpret_cast<Entry*>(&kClosed); }

  Pushed push(Task task, std::uint64_t cost) {
    auto* entry = new Entry{.task = std::move(task), .older = nullptr, .cost = cost};
    Entry* older = newest_.load(std::memory_order_relaxed);
    do {
      if (older == closed_mark()) {
        reserved_.fetch_sub(cost, std::memory_order_relaxed);
        delete entry;
        return Pushed::closed;
      }
      entry->older = older;
    } while (
        !newest_.compare_exchange_weak(older, entry, std::memory_order_release, std::memory_order_relaxed));
    // From here the reader owns the entry, which may already be destroyed.
    return older == nullptr ? Pushed::first : Pushed::behind;
  }

  void take() {
    Entry* newest = newest_.load(std::memory_order_relaxed);
    if (newest == nullptr || newest == closed_mark()) return;
    put_in_order(newest_.exchange(nullptr, std::memory_order_acquire));
  }
  void put_in_order(Entry* newest) {
    while (newest != nullptr) {
      Entry* older = newest->older;
      newest->older = oldest_;
      oldest_ = newest;
      newest = older;
    }
  }
  void drop_oldest() {
    Entry* entry = oldest_;
    oldest_ = entry->older;
    reserved_.fetch_sub(entry->cost, std::memory_order_relaxed);
    delete entry;
  }

  alignas(Entry) static inline std::byte kClosed{};

  const std::uint64_t tasks_max_;
  const std::uint64_t bytes_max_;
  std::atomic<Entry*> newest_ = nullptr;
  std::atomic<std::uint64_t> reserved_ = 0;
  Entry* oldest_ = nullptr;
};

}  // namespace fanfare::net
