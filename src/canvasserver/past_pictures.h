#pragma once
// Pictures of the past, of all rooms: who waits for one, and who is next. A room's storage makes one at a time, for one
// payer after another, so one who asks for many delays the others by one picture each. What nobody waits for any more is
// not made, and is given up in the middle.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "canvas/place.h"
#include "canvasserver/storage.h"

namespace fanfare::canvasserver {

// Pictures of one payer that wait or are being made, in all rooms; and of one room.
inline constexpr std::size_t kPastPicturesPerPayerMax = 4;
inline constexpr std::size_t kPastPicturesPerRoomMax = 32;

struct PastPicture {
  canvas::Area area;  // without a picture_problem()
  std::int64_t at_ms = 0;
  // Who pays: the name of access control, otherwise the address, of which an IPv6 /64 is one.
  std::string payer = {};
  Abandonment abandonment = nullptr;
  // The PNG, or why there is none. Called once, on any thread, perhaps within ask(); must not ask for another one.
  std::function<void(PastLog::Result<std::string> png)> done;
};

// Any thread.
class PastPictures {
 public:
  enum class Asked : std::uint8_t { accepted, payer_has_too_many, room_has_too_many };

  PastPictures() = default;
  PastPictures(const PastPictures&) = delete;
  PastPictures& operator=(const PastPictures&) = delete;

  // Both must outlive the storage's threads, and this, too. Unless it is accepted, done() is not called.
  Asked ask(RoomStorage& storage, const canvas::RoomSpec& spec, PastPicture picture);

 private:
  struct Queue {
    // In the order of their turns; each has pictures.
    std::list<std::pair<std::string, std::deque<PastPicture>>> payers;
    std::size_t waiting = 0;
    bool is_making = false;
    std::string last_payer;  // whose picture was made, or is
  };
  using Pictures = std::deque<PastPicture>;

  Pictures take_abandoned(Queue& queue);
  static PastPicture take_next(Queue& queue);
  void start_next(RoomStorage& storage, const canvas::RoomSpec& spec);
  void forget(const std::string& payer);

  std::mutex mutex_;  // guards what follows
  std::map<RoomStorage*, Queue> rooms_;
  std::map<std::string, std::size_t, std::less<>> payers_;  // and how many are under way
};

}  // namespace fanfare::canvasserver
