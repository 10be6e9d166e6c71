#include "canvasserver/painter.h"

#include <utility>

#include "canvasserver/picture.h"
#include "canvasserver/room_thread.h"
#include "net/thread.h"

namespace fanfare::canvasserver {

Painter::~Painter() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

bool Painter::paint(RoomThread& room, const canvas::Area& area, Done done) {
  const Key key{.room = &room, .x = area.x, .y = area.y, .width = area.width, .height = area.height};
  std::shared_ptr<const std::string> ready;
  {
    const std::scoped_lock lock(mutex_);
    const Instant now = system_clock().now();
    drop_old(now);
    // NOLINTBEGIN(bugprone-use-after-move): each way that moves `done` returns or leaves `ready` empty.
    const auto found = paintings_.find(key);
    if (found != paintings_.end() && found->second.png == nullptr) {
      found->second.waiting.push_back(std::move(done));
      return true;
    }
    if (found == paintings_.end()) {
      if (unmade_ >= kPaintingsWaitingMax || stopping_) return false;
      if (!thread_.joinable()) {
        auto thread = net::start_thread([this] { run(); });
        if (!thread) return false;
        thread_ = *std::move(thread);
      }
      ++unmade_;
      paintings_[key].waiting.push_back(std::move(done));
    } else {
      ready = found->second.png;
    }
  }
  if (ready != nullptr) {
    done(std::move(ready));
    return true;
  }
  // NOLINTEND(bugprone-use-after-move)
  room.post([this, key, area](RoomThread& there) {
    auto picture = std::make_shared<Picture>(picture_of(there.room().board(), area));
    const std::scoped_lock lock(mutex_);
    jobs_.emplace_back(
        key, [spec = there.spec(), picture = std::move(picture)] { return png_of(spec, *picture); });
    changed_.notify_one();
  });
  return true;
}

// With the lock held. The oldest goes first.
void Painter::drop_old(Instant now) {
  std::erase_if(paintings_, [&](const auto& entry) {
    return entry.second.png != nullptr && now - entry.second.at >= kPaintingAgeMax;
  });
  while (paintings_.size() - unmade_ > kPaintingsKeptMax) {
    auto oldest = paintings_.end();
    for (auto at = paintings_.begin(); at != paintings_.end(); ++at) {
      if (at->second.png == nullptr) continue;
      if (oldest == paintings_.end() || at->second.at < oldest->second.at) oldest = at;
    }
    paintings_.erase(oldest);
  }
}

void Painter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    auto [key, encode] = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    make(key, encode);
    lock.lock();
  }
}

void Painter::make(const Key& key, const std::function<std::string()>& encode) {
  const auto png = std::make_shared<const std::string>(encode());
  std::vector<Done> waiting;
  {
    const std::scoped_lock lock(mutex_);
    Painting& painting = paintings_[key];
    painting.png = png;
    painting.at = system_clock().now();
    waiting = std::exchange(painting.waiting, {});
    --unmade_;
  }
  for (const Done& done : waiting) done(png);
}

}  // namespace fanfare::canvasserver
