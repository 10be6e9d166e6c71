#pragma once
// What was taken back in the open tick, for the log. One thread.

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "canvas/tick.h"

namespace fanfare::canvas {

class TakenBackOfTick {
 public:
  // The strokes of `user` (0: of everybody) from the tick `from` on. `is_shown`: the place now shows what was beneath.
  void add(std::uint16_t x, std::uint16_t y, UserNumber user, std::uint64_t from, bool is_shown) {
    all_.push_back({.x = x, .y = y, .user = user, .from = from});
    if (is_shown) {
      is_drawn_[place_of(x, y)] = false;
    } else {
      is_drawn_.try_emplace(place_of(x, y), true);
    }
  }
  // Somebody draws here.
  void draw(std::uint16_t x, std::uint16_t y) {
    if (is_drawn_.empty()) return;
    const auto found = is_drawn_.find(place_of(x, y));
    if (found != is_drawn_.end()) found->second = true;
  }
  std::vector<TakenBack> finish_tick() {
    for (TakenBack& one : all_) one.is_drawn = is_drawn_.at(place_of(one.x, one.y));
    is_drawn_.clear();
    return std::exchange(all_, {});
  }

 private:
  static std::uint32_t place_of(std::uint16_t x, std::uint16_t y) { return (std::uint32_t{y} << 16U) | x; }

  std::vector<TakenBack> all_;
  std::unordered_map<std::uint32_t, bool> is_drawn_;  // by place
};

}  // namespace fanfare::canvas
