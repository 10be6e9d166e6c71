#pragma once
// The last pixels that were drawn in a room, so that their authors can take them back. One ring for all users, so its
// memory is limited: the oldest pixel of all users is forgotten first. One thread.
//
// Those of one place that were not taken back are linked, the newest first. Each knows what is beneath it: the next one, or
// what is not in this log. The newest one, if there is any, is what the place shows.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>

#include "canvas/past.h"
#include "canvas/place.h"
#include "canvas/wire.h"

namespace fanfare::canvas {

struct Drawn {
  std::uint16_t x = 0;
  std::uint16_t y = 0;
  UserNumber user = 0;
  UserNumber author_before = 0;  // what is beneath it
  Colour colour = 0;
  Colour colour_before = 0;
  bool is_taken_back = false;
  std::uint64_t tick = 0;
  std::uint64_t previous = 0;  // the number of the same user's pixel before; 0: none
  std::uint64_t below = 0;     // and of the place's; 0: none. May be forgotten
};

// What a place shows.
struct Shown {
  UserNumber author = 0;
  Colour colour = 0;

  bool operator==(const Shown&) const = default;
};

class UndoLog {
 public:
  explicit UndoLog(std::size_t pixels_max) : pixels_max_(pixels_max) {}

  // The number of the pixel, from 1; 0 if pixels_max is 0. It is the newest of its place; its `below` is set here.
  std::uint64_t add(Drawn drawn);
  // Null: it was forgotten, or `number` is 0. Until the next add().
  const Drawn* find(std::uint64_t number) const;
  // The number of the newest stroke at a place, or 0 if the log has none there.
  std::uint64_t newest_at(std::uint16_t x, std::uint16_t y) const;
  // Of one that was not forgotten: takes out what is between it and `previous`.
  void set_previous(std::uint64_t number, std::uint64_t previous);
  std::size_t size() const { return ring_.size(); }
  // The number of the next one.
  std::uint64_t next() const { return first_ + ring_.size(); }

  // The newest of its place was taken back.
  void take_back(std::uint64_t number);
  // A place is as it was before the tick `from`, and shows this. What it does not fit is not linked any more.
  void set_place(std::uint16_t x, std::uint16_t y, std::uint64_t from, const Shown& shown);
  // What a place would show without the strokes of `user` from the tick `from` on; now it shows `now`. `left` is what the
  // log has of this place: see Past::without_user().
  Shown without_user(UserNumber user, std::uint64_t from, std::span<const RestoredPixel> left,
                     const Shown& now) const;
  // They were taken back.
  void take_back_user(UserNumber user, std::uint64_t from, std::span<const RestoredPixel> left);

  // Equal logs give equal bytes. load() needs one to which nothing was added; false: it was not written by save() in such a room.
  void save(WireWriter& out) const;
  bool load(WireReader& in, const RoomSpec& spec);

 private:
  static std::uint32_t place_of(std::uint16_t x, std::uint16_t y) { return (std::uint32_t{y} << 16U) | x; }
  bool load_one(WireReader& in, const RoomSpec& spec);
  Drawn* drawn_of(std::uint64_t number);
  void set_newest(std::uint32_t place, std::uint64_t number);
  // What is beneath the oldest one of a place, without those strokes.
  static Shown base_of(const Drawn& oldest, UserNumber user, std::span<const RestoredPixel> left);

  std::size_t pixels_max_;
  std::deque<Drawn> ring_;
  std::uint64_t first_ = 1;                                  // of ring_.front()
  std::unordered_map<std::uint32_t, std::uint64_t> newest_;  // by place
};

}  // namespace fanfare::canvas
