#pragma once
// A queue from many threads to one. A push never waits: what comes when the queue is full is refused.

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

#include "base/time.h"

namespace fanfare::gateway {

template <typename Item>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t items_max) : items_max_(items_max) {}

  // Any thread. False: the queue is full, or closed.
  bool push(Item item) {
    bool wakes = false;
    {
      const std::scoped_lock lock(mutex_);
      if (closed_ || items_.size() >= items_max_) return false;
      items_.push_back(std::move(item));
      wakes = items_.size() == wake_at_;
    }
    if (wakes) changed_.notify_one();
    return true;
  }

  // What the one reader gets.
  struct Taken {
    std::vector<Item> items;
    bool closed = false;
  };
  // Waits until there are `least` items, for at most `wait`, or until the queue is closed or poked. Takes all of them.
  Taken take(std::size_t least, Duration wait) {
    std::unique_lock lock(mutex_);
    wake_at_ = least < items_max_ ? least : items_max_;
    changed_.wait_for(
        lock, wait, [this] { return closed_ || std::exchange(poked_, false) || items_.size() >= wake_at_; });
    return {.items = std::exchange(items_, {}), .closed = closed_};
  }
  // take() returns.
  void poke() {
    {
      const std::scoped_lock lock(mutex_);
      poked_ = true;
    }
    changed_.notify_one();
  }
  // Nothing more is taken in; the reader still gets what there is.
  void close() {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    changed_.notify_one();
  }

 private:
  const std::size_t items_max_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Item> items_;
  std::size_t wake_at_ = 1;
  bool poked_ = false;
  bool closed_ = false;
};

}  // namespace fanfare::gateway
