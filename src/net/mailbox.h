#pragma once
// Work handed to a loop by other threads: many may push, one takes all. No lock: pushing is one
// compare-and-swap, taking one exchange. Order is kept for each pusher.

#include <atomic>
#include <utility>

#include "fanfare/unique_function.h"

namespace fanfare::net {

using Task = UniqueFunction<void()>;

class Mailbox {
 public:
  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox() {
    take_all([](Task&) {});
  }

  // Any thread. True when the mailbox was empty: the one who filled it first wakes the reader.
  bool push(Task task) {
    Entry* older = newest_.load(std::memory_order_relaxed);
    auto* entry = new Entry{std::move(task), older};
    while (
        !newest_.compare_exchange_weak(older, entry, std::memory_order_release, std::memory_order_relaxed)) {
      entry->older = older;
    }
    // The entry is the reader's from here: it may be gone already.
    return older == nullptr;
  }

  bool empty() const { return newest_.load(std::memory_order_acquire) == nullptr; }

  // The reader's thread. Takes what is there now, oldest first; what comes meanwhile waits for the next time.
  template <typename Handle>
  void take_all(Handle&& handle) {
    Entry* newest = newest_.exchange(nullptr, std::memory_order_acquire);
    Entry* oldest = nullptr;
    while (newest != nullptr) {
      Entry* older = newest->older;
      newest->older = oldest;
      oldest = newest;
      newest = older;
    }
    while (oldest != nullptr) {
      Entry* next = oldest->older;
      handle(oldest->task);
      delete oldest;
      oldest = next;
    }
  }

 private:
  struct Entry {
    Task task;
    Entry* older;
  };
  std::atomic<Entry*> newest_ = nullptr;
};

}  // namespace fanfare::net
