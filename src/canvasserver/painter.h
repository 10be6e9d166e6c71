#pragma once
// A thread that makes pictures of canvases as they are now, and keeps the last ones for a moment: however many ask, a
// picture of the same part is made once a second.

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/time.h"
#include "canvas/place.h"

namespace fanfare::canvasserver {

class RoomThread;

// Pictures that are asked for and not made yet.
inline constexpr std::size_t kPaintingsWaitingMax = 16;
// How long a picture serves others, and how many are kept.
inline constexpr Duration kPaintingAgeMax = std::chrono::seconds(1);
inline constexpr std::size_t kPaintingsKeptMax = 16;

class Painter {
 public:
  // The PNG; null: none could be made. Called on any thread, perhaps within paint().
  using Done = std::function<void(std::shared_ptr<const std::string> png)>;

  Painter() = default;
  Painter(const Painter&) = delete;
  Painter& operator=(const Painter&) = delete;
  // The rooms may have ended.
  ~Painter();

  // Any thread. `area` has no picture_problem(). False: too many wait.
  bool paint(RoomThread& room, const canvas::Area& area, Done done);

 private:
  struct Key {
    RoomThread* room;
    std::uint32_t x, y, width, height;
    auto operator<=>(const Key&) const = default;
  };
  struct Painting {
    std::shared_ptr<const std::string> png;  // null: being made
    Instant at;
    std::vector<Done> waiting;
  };

  void run();
  void make(const Key& key, const std::function<std::string()>& encode);
  void drop_old(Instant now);

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<Key, Painting> paintings_;
  std::deque<std::pair<Key, std::function<std::string()>>> jobs_;
  std::size_t unmade_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // from the first picture on
};

}  // namespace fanfare::canvasserver
