#pragma once
// A thread that makes pictures of canvases as they are now, and keeps the last ones for a moment: however many ask, a
// picture of the same part is made once a second. One that nobody waits for any more is not made, or given up.

#include <atomic>
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
#include "canvasserver/picture.h"

namespace fanfare::canvasserver {

class RoomThread;

// Pictures that are asked for and not made yet.
inline constexpr std::size_t kPaintingsWaitingMax = 16;
// Of these, by one payer. One that others have asked for costs nothing.
inline constexpr std::size_t kPaintingsPerPayerMax = 4;
// How long a picture serves others, and how many are kept.
inline constexpr Duration kPaintingAgeMax = std::chrono::seconds(1);
inline constexpr std::size_t kPaintingsKeptMax = 16;

class Painter {
 public:
  enum class Asked : std::uint8_t { accepted, payer_has_too_many, too_many };
  // The PNG; null: nobody waited for it, or the room or the server has ended. Called on any thread, perhaps within paint().
  using Done = std::function<void(std::shared_ptr<const std::string> png)>;
  struct Order {
    canvas::Area area;       // without a picture_problem()
    std::string payer = {};  // as PastPicture::payer
    Abandonment abandonment = nullptr;
    Done done;
  };

  Painter() = default;
  Painter(const Painter&) = delete;
  Painter& operator=(const Painter&) = delete;
  // The rooms may have ended.
  ~Painter();

  // Any thread. Unless it is accepted, done() is not called.
  Asked paint(RoomThread& room, Order order);
  // That are asked for and not made yet.
  std::size_t unmade() const {
    const std::scoped_lock lock(mutex_);
    return unmade_;
  }

 private:
  struct Key {
    std::uint64_t room;  // RoomThread::number()
    std::uint32_t x, y, width, height;
    auto operator<=>(const Key&) const = default;
  };
  struct Waiting {
    Abandonment abandonment;
    Done done;
  };
  struct Painting {
    std::shared_ptr<const std::string> png;  // null: being made
    std::string payer;                       // of those that are being made
    Instant at;
    std::vector<Waiting> waiting;
  };
  using Encode = std::function<std::string(const IsWanted& is_wanted)>;

  Asked begin(const Key& key, const std::string& payer);
  void run();
  bool is_wanted(const Key& key);
  // The room has ended before it could be asked.
  void give_up(const Key& key);
  void make(const Key& key, const Encode& encode);
  // With the lock held.
  void end_painting(Painting& painting);
  bool is_finished(const Key& key, const std::shared_ptr<const std::string>& png,
                   std::vector<Waiting>& waiting);
  void drop_old(Instant now);

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<Key, Painting> paintings_;
  std::deque<std::pair<Key, Encode>> jobs_;
  std::size_t unmade_ = 0;
  std::map<std::string, std::size_t, std::less<>> payers_;  // of these
  bool stopping_ = false;
  std::thread thread_;  // from the first picture on
};

}  // namespace fanfare::canvasserver
