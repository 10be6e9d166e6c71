#include "canvasserver/painter.h"

#include <algorithm>
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

Painter::Asked Painter::paint(RoomThread& room, Order order) {
  const canvas::Area area = order.area;
  const Key key{.room = room.number(), .x = area.x, .y = area.y, .width = area.width, .height = area.height};
  std::shared_ptr<const std::string> ready;
  {
    const std::scoped_lock lock(mutex_);
    drop_old(system_clock().now());
    const auto found = paintings_.find(key);
    if (found != paintings_.end() && found->second.png == nullptr) {
      found->second.waiting.push_back(
          {.abandonment = std::move(order.abandonment), .done = std::move(order.done)});
      return Asked::accepted;
    }
    if (found != paintings_.end()) ready = found->second.png;
    if (ready == nullptr) {
      if (const Asked begun = begin(key, order.payer); begun != Asked::accepted) return begun;
      paintings_[key].waiting.push_back({.abandonment = std::move(order.abandonment), .done = order.done});
    }
  }
  if (ready != nullptr) {
    order.done(std::move(ready));
    return Asked::accepted;
  }
  const bool is_asked = room.post([this, key, area](RoomThread& there) {
    auto picture = std::make_shared<Picture>(picture_of(there.room().board(), area));
    const std::scoped_lock lock(mutex_);
    jobs_.emplace_back(key, [spec = there.spec(), picture = std::move(picture)](const IsWanted& is_wanted) {
      return png_of(spec, *picture, kPngLevel, is_wanted);
    });
    changed_.notify_one();
  });
  if (!is_asked) give_up(key);
  return Asked::accepted;
}

void Painter::give_up(const Key& key) {
  std::vector<Waiting> waiting;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = paintings_.find(key);
    end_painting(found->second);
    waiting = std::move(found->second.waiting);
    paintings_.erase(found);
  }
  for (const Waiting& one : waiting) one.done(nullptr);
}

void Painter::end_painting(Painting& painting) {
  --unmade_;
  const auto paid = payers_.find(painting.payer);
  if (--paid->second == 0) payers_.erase(paid);
}

// With the lock held.
Painter::Asked Painter::begin(const Key& key, const std::string& payer) {
  const auto paid = payers_.find(payer);
  if (paid != payers_.end() && paid->second >= kPaintingsPerPayerMax) return Asked::payer_has_too_many;
  if (unmade_ >= kPaintingsWaitingMax || stopping_) return Asked::too_many;
  if (!thread_.joinable()) {
    auto thread = net::start_thread([this] { run(); });
    if (!thread) return Asked::too_many;
    thread_ = *std::move(thread);
  }
  ++unmade_;
  ++payers_[payer];
  paintings_[key].payer = payer;
  return Asked::accepted;
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

bool Painter::is_wanted(const Key& key) {
  const std::scoped_lock lock(mutex_);
  return !stopping_ && !std::ranges::all_of(paintings_[key].waiting,
                                            [](const Waiting& one) { return is_abandoned(one.abandonment); });
}

void Painter::make(const Key& key, const Encode& encode) {
  const auto wanted = [this, &key] { return is_wanted(key); };
  std::shared_ptr<const std::string> png;
  std::vector<Waiting> waiting;
  // Somebody may have come since it was given up.
  do {
    if (wanted()) png = std::make_shared<const std::string>(encode(wanted));
    if (png != nullptr && png->empty()) png = nullptr;
  } while (!is_finished(key, png, waiting));
  for (const Waiting& one : waiting) one.done(png);
}

// Whether the picture is made, or nobody waits for it. Then those that wait are in `waiting`.
bool Painter::is_finished(const Key& key, const std::shared_ptr<const std::string>& png,
                          std::vector<Waiting>& waiting) {
  const std::scoped_lock lock(mutex_);
  Painting& painting = paintings_[key];
  const bool all_gone =
      std::ranges::all_of(painting.waiting, [](const Waiting& one) { return is_abandoned(one.abandonment); });
  if (png == nullptr && !all_gone && !stopping_) return false;
  waiting = std::exchange(painting.waiting, {});
  end_painting(painting);
  painting.png = png;
  painting.at = system_clock().now();
  if (png == nullptr) paintings_.erase(key);
  return true;
}

}  // namespace fanfare::canvasserver
