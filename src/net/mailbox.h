#pragma once
// Work handed to a loop by other threads: many may push, one takes. No lock: pushing is one compare-and-swap,
// and one addition more for a task that counts against the limits. Order is kept for each pusher.
//
//   newest_ -> entry -> entry -> entry    pushed, newest first; kClosed instead of the first: no more
//   oldest_ -> entry -> entry             the reader's: taken, oldest first, and left over from its last turn
//
// A task may name things that are gone when its turn comes. The owner of those things closes the mailbox
// before they go: from then on a task is destroyed, never run.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "fanfare/unique_function.h"

namespace fanfare::net {

using Task = UniqueFunction<void()>;

enum class PostResult : std::uint8_t {
  accepted,  // it will be run, unless the mailbox is closed before its turn
  full,      // not accepted: as much waits as the limits allow
  stopped,   // not accepted: the mailbox is closed
};

// Of the tasks that come by reserve(). At either limit the next one is refused: what counts is what waits
// already, so that a single task may be larger.
struct MailboxLimits {
  std::size_t tasks_max = 100'000;
  std::size_t bytes_max = std::size_t{64} << 20;
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
    first,   // the mailbox was empty: whoever filled it wakes the reader
    behind,  // others wait already
    closed,  // the task was destroyed, here and now
  };
  // Any thread. Not limited.
  Pushed push(Task task) { return push(std::move(task), 0); }

  // Any thread. Takes room for one task of so many bytes, which push_reserved() or give_back() follows.
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

  // The reader's thread: nothing to take.
  bool empty() const {
    if (oldest_ != nullptr) return false;
    const Entry* newest = newest_.load(std::memory_order_acquire);
    return newest == nullptr || newest == closed_mark();
  }

  // The reader's thread. Runs what is there, oldest first, for as long as may_go_on() says so, asked between
  // two tasks. What is left over, and what comes meanwhile, waits for the next time.
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

  // The reader's thread, or the last one to know the mailbox. Destroys what waits. What is pushed from here
  // on is destroyed by its pusher.
  void close() {
    while (oldest_ != nullptr) drop_oldest();
    Entry* newest = newest_.exchange(closed_mark(), std::memory_order_acq_rel);
    if (newest == closed_mark()) return;
    put_in_order(newest);
    // What a task holds may come back here by its destructor; nothing waits then.
    while (oldest_ != nullptr) drop_oldest();
  }

 private:
  struct Entry {
    Task task;
    Entry* older;  // once it is taken: the next younger one
    std::uint64_t cost;
  };

  // One number for both, so that one addition reserves: how many tasks, and how many bytes.
  static constexpr unsigned kByteBits = 40;
  static constexpr std::uint64_t kBytesMask = (std::uint64_t{1} << kByteBits) - 1;
  static constexpr std::size_t kTasksMax = std::size_t{1} << 22;
  static constexpr std::size_t kBytesMax = std::size_t{1} << 38;

  static std::uint64_t cost_of(std::size_t bytes) {
    return (std::uint64_t{1} << kByteBits) + std::min<std::uint64_t>(bytes, kBytesMax);
  }
  // Never looked into.
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
    // The entry is the reader's from here: it may be gone already.
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
