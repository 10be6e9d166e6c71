#pragma once
// The way from a room's thread to its part on one loop. It may outlive both.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "fanfare/unique_function.h"
#include "net/loop.h"

namespace fanfare::canvasserver {

class LoopRoom;
// Runs on the loop's thread.
using LoopTask = UniqueFunction<void(LoopRoom&)>;

class LoopLink : public std::enable_shared_from_this<LoopLink> {
 public:
  // On the loop's thread. Both must outlive close().
  LoopLink(net::Loop& loop, LoopRoom& room) : loop_(&loop), room_(&room) {}
  LoopLink(const LoopLink&) = delete;
  LoopLink& operator=(const LoopLink&) = delete;

  // The loop's thread. Nothing runs any more.
  void close() {
    const std::scoped_lock lock(mutex_);
    loop_ = nullptr;
    room_ = nullptr;
  }
  // Any thread. Runs the tasks in order, with one entry in the loop's mailbox. Dropped after close().
  void post(std::vector<LoopTask> tasks);

  // Batches that the loop has not run yet.
  std::uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  // What the last batch with a tick cost the loop.
  Duration tick_cost() const { return Duration(tick_cost_ns_.load(std::memory_order_relaxed)); }
  void set_tick_cost(Duration cost) { tick_cost_ns_.store(cost.count(), std::memory_order_relaxed); }

 private:
  void run(std::vector<LoopTask>& tasks);

  std::mutex mutex_;  // guards loop_
  net::Loop* loop_;
  LoopRoom* room_;  // the loop's thread
  std::atomic<std::uint32_t> waiting_ = 0;
  std::atomic<std::int64_t> tick_cost_ns_ = 0;
};

}  // namespace fanfare::canvasserver
