#pragma once
// Ends rooms that nobody uses any more, one after another, on a thread of its own: a room writes what was drawn, which may take
// long.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "base/time.h"
#include "canvasserver/room_thread.h"

namespace fanfare::canvasserver {

class RoomEnder {
 public:
  RoomEnder() = default;
  RoomEnder(const RoomEnder&) = delete;
  RoomEnder& operator=(const RoomEnder&) = delete;
  // Ends those that wait first.
  ~RoomEnder();

  // Any thread, but none of the room's or of its storage's. Nobody posts to the room any more.
  void end(std::shared_ptr<RoomThread> room);
  // Whether no room of this name is waiting or being ended, after at most this time. Then its file is free.
  bool wait_for(std::string_view name, Duration at_most);
  // Waiting, or being ended.
  std::size_t count() const;

 private:
  void run();
  bool has(std::string_view name) const;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::shared_ptr<RoomThread>> rooms_;  // the first one is being ended
  bool stopping_ = false;
  std::thread thread_;  // from the first room on
};

}  // namespace fanfare::canvasserver
