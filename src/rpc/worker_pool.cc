#include "rpc/worker_pool.h"

#include <algorithm>
#include <utility>

namespace fanfare::rpc {
namespace {

thread_local const WorkerPool* pool_of_thread = nullptr;

}  // namespace

void WorkerPool::stop() {
  {
    std::unordered_map<std::string, Tasks> unrun;  // destroyed without the lock
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    unrun.swap(tasks_);
    turns_.clear();
    waiting_ = 0;
  }
  changed_.notify_all();
  std::vector<std::thread> threads;
  {
    const std::scoped_lock lock(mutex_);
    threads.swap(threads_);  // none is added after `stopping_`
  }
  for (std::thread& thread : threads) thread.join();
}

bool WorkerPool::is_here() const {
  return pool_of_thread == this;
}

bool WorkerPool::push(const std::string& client, Task task) {
  Task displaced;
  switch (place(client, task, displaced)) {
    case Place::queued:
      changed_.notify_one();
      if (displaced.refuse) displaced.refuse();
      return true;
    case Place::full:
      if (task.refuse) task.refuse();
      return false;
    case Place::stopped:
      break;
  }
  return false;
}

WorkerPool::Place WorkerPool::place(const std::string& client, Task& task, Task& displaced) {
  const std::scoped_lock lock(mutex_);
  if (stopping_) return Place::stopped;
  // A task that a free thread will take at once does not wait.
  const std::size_t threads_max = std::max<std::size_t>(options_.threads, 1);
  if (waiting_ >= options_.queue_max + (threads_max - busy_)) {
    displaced = displace_for(client);
    if (!displaced.run) return Place::full;
  }
  Tasks& own = tasks_[client];
  if (own.empty()) turns_.push_back(client);
  own.push_back(std::move(task));
  ++waiting_;
  const std::size_t free = threads_.size() - busy_;
  if (waiting_ > free && threads_.size() < threads_max) threads_.emplace_back([this] { work(); });
  return Place::queued;
}

WorkerPool::Task WorkerPool::displace_for(const std::string& client) {
  const auto count_of = [](const auto& entry) { return entry.second.size(); };
  const auto most = std::ranges::max_element(tasks_, {}, count_of);
  if (most == tasks_.end()) return {};
  const auto own = tasks_.find(client);
  const std::size_t own_count = own == tasks_.end() ? 0 : own->second.size();
  if (most->second.size() < own_count + 2) return {};
  Task newest = std::move(most->second.back());
  most->second.pop_back();
  --waiting_;
  return newest;
}

WorkerPool::Task WorkerPool::take_next() {
  const auto found = tasks_.find(turns_.front());
  Tasks& tasks = found->second;
  Task task = std::move(tasks.front());
  tasks.pop_front();
  --waiting_;
  if (tasks.empty()) {
    tasks_.erase(found);
  } else {
    turns_.push_back(std::move(turns_.front()));
  }
  turns_.pop_front();
  return task;
}

std::size_t WorkerPool::waiting() const {
  const std::scoped_lock lock(mutex_);
  return waiting_;
}

void WorkerPool::work() {
  pool_of_thread = this;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || waiting_ > 0; });
    if (stopping_) return;
    ++busy_;
    {
      Task task = take_next();
      lock.unlock();
      task.run();
      task = {};  // its captures are destroyed without the lock
    }
    lock.lock();
    --busy_;
  }
}

}  // namespace fanfare::rpc
