#pragma once
// The way back to one loop, for answers to requests that wait for something else. It may outlive the loop, and the room that an
// answer waits for.

#include <memory>
#include <mutex>
#include <utility>

#include "fanfare/unique_function.h"
#include "net/loop.h"

namespace fanfare::canvasserver {

class LoopAnswers : public std::enable_shared_from_this<LoopAnswers> {
 public:
  using Task = UniqueFunction<void()>;

  // On the loop's thread. The loop must outlive close().
  explicit LoopAnswers(net::Loop& loop) : loop_(&loop) {}
  LoopAnswers(const LoopAnswers&) = delete;
  LoopAnswers& operator=(const LoopAnswers&) = delete;

  // The loop's thread. Nothing runs any more.
  void close() {
    const std::scoped_lock lock(mutex_);
    loop_ = nullptr;
  }
  // Any thread. Runs on the loop's; dropped after close().
  void post(Task task) {
    const std::scoped_lock lock(mutex_);
    if (loop_ == nullptr) return;
    loop_->post([self = shared_from_this(), task = std::move(task)]() mutable {
      // Only this thread sets it.
      if (self->loop_ != nullptr) task();
    });
  }

 private:
  std::mutex mutex_;  // guards loop_
  net::Loop* loop_;
};

}  // namespace fanfare::canvasserver
