#include "canvasserver/room_ender.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "net/thread.h"

namespace fanfare::canvasserver {

RoomEnder::~RoomEnder() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void RoomEnder::end(std::shared_ptr<RoomThread> room) {
  {
    const std::scoped_lock lock(mutex_);
    if (!thread_.joinable()) {
      if (auto thread = net::start_thread([this] { run(); })) thread_ = *std::move(thread);
    }
    if (thread_.joinable()) {
      rooms_.push_back(std::move(room));
      changed_.notify_all();
      return;
    }
  }
  // The system has no thread for it.
  room->end();
}

bool RoomEnder::wait_for(std::string_view name, Duration at_most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, at_most, [&] { return !has(name); });
}

std::size_t RoomEnder::count() const {
  const std::scoped_lock lock(mutex_);
  return rooms_.size();
}

// With the lock held.
bool RoomEnder::has(std::string_view name) const {
  return std::ranges::any_of(rooms_, [&](const auto& room) { return room->spec().name == name; });
}

void RoomEnder::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !rooms_.empty(); });
    if (rooms_.empty()) return;
    std::shared_ptr<RoomThread> room = rooms_.front();
    lock.unlock();
    room->end();
    log::info("canvas_room_ended", {{"room", room->spec().name}});
    lock.lock();
    rooms_.pop_front();
    changed_.notify_all();
    lock.unlock();
    // The last reference, perhaps: all of its pixels.
    room.reset();
    lock.lock();
  }
}

}  // namespace fanfare::canvasserver
