#pragma once
// Threads for methods that may block. The queue is bounded: when it is full, a task is refused at once, so that
// callers hear of an overload instead of waiting in it. Clients take turns, and a full queue belongs to all of them: a
// client with fewer waiting tasks displaces the newest of the client that has most. Any thread.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "fanfare/unique_function.h"

namespace fanfare::rpc {

struct WorkerPoolOptions {
  std::size_t threads = 4;     // at least one
  std::size_t queue_max = 64;  // tasks that wait; those that run do not count
};

class WorkerPool {
 public:
  // Neither function may throw.
  struct Task {
    UniqueFunction<void()> run;
    // In place of `run`, if the queue is full, or another task displaces it. On the thread of that push(). A task that is
    // destroyed without either was dropped by stop().
    UniqueFunction<void()> refuse;
  };

  // Starts no thread; the first push() does.
  explicit WorkerPool(WorkerPoolOptions options) : options_(options) {}
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() { stop(); }

  // Waits for the running tasks, and destroys the waiting ones unrun. Not on a thread of the pool.
  void stop();
  // Whether this is a thread of the pool.
  bool is_here() const;

  // Runs the task on a thread of the pool, after those of this client that wait already. False: the queue is full, or the
  // pool has stopped; the task is destroyed unrun.
  bool push(const std::string& client, Task task);
  // Tasks that no thread has taken yet.
  std::size_t waiting() const;

 private:
  using Tasks = std::deque<Task>;

  enum class Place : std::uint8_t { queued, full, stopped };

  Place place(const std::string& client, Task& task, Task& displaced);
  void work();
  Task take_next();
  // The newest task of the client with most, which must have at least two more than `client`. Without `run`: nothing is
  // displaced.
  Task displace_for(const std::string& client);

  const WorkerPoolOptions options_;
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::unordered_map<std::string, Tasks> tasks_;  // by client; none is empty
  std::deque<std::string> turns_;                 // the clients of tasks_, the next one first
  std::size_t waiting_ = 0;                       // tasks in all
  std::vector<std::thread> threads_;
  std::size_t busy_ = 0;  // threads that run a task
  bool stopping_ = false;
};

}  // namespace fanfare::rpc
