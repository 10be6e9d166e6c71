#pragma once
// Threads for methods that may block. The queue is bounded: when it is full, a task is refused at once, so that
// callers hear of an overload instead of waiting in it. Any thread.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "fanfare/unique_function.h"

namespace fanfare::rpc {

struct WorkerPoolOptions {
  std::size_t threads = 4;     // at least one
  std::size_t queue_max = 64;  // tasks that wait; those that run do not count
};

class WorkerPool {
 public:
  using Task = UniqueFunction<void()>;

  // Starts no thread; the first push() does.
  explicit WorkerPool(WorkerPoolOptions options) : options_(options) {}
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() { stop(); }

  // Waits for the running tasks, and destroys the waiting ones unrun. Not on a thread of the pool.
  void stop();

  // Runs the task on a thread of the pool, in the order of the calls. It must not throw. False: the queue is
  // full, or the pool has stopped; the task is destroyed unrun.
  bool push(Task task);
  // Tasks that no thread has taken yet.
  std::size_t waiting() const;

 private:
  void work();

  const WorkerPoolOptions options_;
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::vector<std::thread> threads_;
  std::size_t busy_ = 0;  // threads that run a task
  bool stopping_ = false;
};

}  // namespace fanfare::rpc
