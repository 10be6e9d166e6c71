#pragma once
// How much of one session was processed in a turn of its loop, so that other sessions are not delayed
// (SessionSettings::frames_per_turn_max, bytes_per_turn_max). Inline, since every message passes it.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "session/settings.h"

namespace fanfare::session {

class TurnShare {
 public:
  // A new turn has a new share. The number may wrap.
  void enter(std::uint32_t turn_number) {
    const auto turn = static_cast<std::uint16_t>(turn_number);
    if (turn_ == turn) return;
    turn_ = turn;
    frames_ = 0;
    bytes_ = 0;
  }
  void add(unsigned frames, std::size_t bytes) {
    add_frames(frames);
    add_bytes(bytes);
  }
  void add_frames(unsigned count) { frames_ = static_cast<std::uint16_t>(frames_ + count); }
  void add_bytes(std::size_t size) {
    bytes_ += static_cast<std::uint32_t>(std::min<std::size_t>(size, UINT32_MAX - bytes_));
  }

  bool is_spent(const SessionSettings& settings) const {
    return frames_ >= settings.frames_per_turn_max || bytes_ >= settings.bytes_per_turn_max;
  }
  // In this turn; zero if it is spent, by frames or by bytes.
  std::size_t bytes_left(std::uint32_t turn_number, const SessionSettings& settings) {
    enter(turn_number);
    return is_spent(settings) ? 0 : settings.bytes_per_turn_max - bytes_;
  }
  // Only while it is not spent.
  unsigned frames_left(const SessionSettings& settings) const {
    return settings.frames_per_turn_max - frames_;
  }

 private:
  std::uint16_t frames_ = 0;
  std::uint16_t turn_ = 0;
  std::uint32_t bytes_ = 0;
};

}  // namespace fanfare::session
