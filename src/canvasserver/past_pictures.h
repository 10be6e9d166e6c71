#pragma once
// Pictures of the past, of all rooms: who waits for one, and whose turn is next. The storage of a room makes one at a time. Payers
// take turns, so one that asks for many pictures delays every other payer by one picture. The pictures of a client that has left
// are not made, and one that is being made is given up.

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
  // The PNG, or the reason for the failure. Called once, on any thread, perhaps within ask(). It must not call ask().
  std::function<void(PastLog::Result<std::string> png)> done;
};

// Any thread.
class PastPictures {
 public:
  enum class Asked : std::uint8_t { accepted, payer_has_too_many, room_has_too_many };

  PastPictures() = default;
  PastPictures(const PastPictures&) = delete;
  PastPictures& operator=(const PastPictures&) = delete;

  // The storage must outlive the call and its pictures: RoomStorage::close() ends these. `spec`: as long as the storage. Unless it
  // is accepted, done() is not called.
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
  void drop_if_empty(RoomStorage* storage);

  std::mutex mutex_;                                        // guards what follows
  std::map<RoomStorage*, Queue> rooms_;                     // with pictures; a room that has none may end
  std::map<std::string, std::size_t, std::less<>> payers_;  // and how many are under way
};

}  // namespace fanfare::canvasserver
