#include "rpc/worker_pool.h"

#include <algorithm>
#include <utility>

namespace fanfare::rpc {

void WorkerPool::stop() {
  {
    std::deque<Task> unrun;  // destroyed without the lock
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    unrun.swap(tasks_);
  }
  changed_.notify_all();
  std::vector<std::thread> threads;
  {
    const std::scoped_lock lock(mutex_);
    threads.swap(threads_);  // none is added after `stopping_`
  }
  for (std::thread& thread : threads) thread.join();
}

bool WorkerPool::push(Task task) {
  {
    const std::scoped_lock lock(mutex_);
    // A task that a free thread will take at once does not wait.
    const std::size_t threads_max = std::max<std::size_t>(options_.threads, 1);
    if (stopping_ || tasks_.size() >= options_.queue_max + (threads_max - busy_)) return false;
    tasks_.push_back(std::move(task));
    const std::size_t free = threads_.size() - busy_;
    if (tasks_.size() > free && threads_.size() < threads_max) threads_.emplace_back([this] { work(); });
  }
  changed_.notify_one();
  return true;
}

std::size_t WorkerPool::waiting() const {
  const std::scoped_lock lock(mutex_);
  return tasks_.size();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (stopping_) return;
    ++busy_;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // its captures are destroyed without the lock
    lock.lock();
    --busy_;
  }
}

}  // namespace fanfare::rpc
