#include "canvasserver/loop_link.h"

#include <utility>

namespace fanfare::canvasserver {

void LoopLink::post(std::vector<LoopTask> tasks) {
  if (tasks.empty()) return;
  const std::scoped_lock lock(mutex_);
  if (loop_ == nullptr) return;
  waiting_.fetch_add(1, std::memory_order_relaxed);
  const bool is_posted =
      loop_->post([self = shared_from_this(), tasks = std::move(tasks)]() mutable { self->run(tasks); });
  if (!is_posted) waiting_.fetch_sub(1, std::memory_order_relaxed);
}

void LoopLink::run(std::vector<LoopTask>& tasks) {
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  for (LoopTask& task : tasks) {
    if (room_ != nullptr) task(*room_);
  }
}

}  // namespace fanfare::canvasserver
