#pragma once
// Which instances live, without clocks: a round is one of this instance's own messages that went to the broker and came back. Whoever is not
// heard for kRoundsMax of them is silent. If the broker or this instance hangs, no round passes. No I/O; one thread.

#include <algorithm>
#include <cstdint>
#include <map>

#include "base/time.h"

namespace fanfare::relay {

class Peers {
 public:
  explicit Peers(std::uint64_t self) : self_(self) {}

  // When the next message is due.
  Instant due() const { return due_; }
  // Its number.
  std::uint64_t sent(Instant now) {
    // Until it comes back; if it is lost, another one takes its place.
    due_ = saturating_add(now, kLostAfter);
    sent_ = now;
    return ++last_;
  }
  // True: others have become silent.
  bool heard(std::uint64_t instance, std::uint64_t number, Instant now) {
    if (instance != self_) {
      rounds_[instance] = 0;
      return false;
    }
    if (number != last_ || number == returned_) return false;
    returned_ = number;
    heard_ = now;
    due_ = saturating_add(sent_, kInterval);
    bool has_lost = false;
    for (auto& [other, rounds] : rounds_) has_lost |= ++rounds == kRoundsMax;
    return has_lost;
  }
  // A record of it was read: it lived when it wrote that, and counts as silent from now on at the earliest.
  void know(std::uint64_t instance) {
    if (instance == self_) return;
    const auto found = rounds_.emplace(instance, 0).first;
    found->second = std::min(found->second, 0);
  }
  // Others may need longer to come back to the broker.
  void reconnected(Instant now) {
    due_ = now;
    for (auto& [other, rounds] : rounds_) rounds = -kGraceRounds;
  }
  bool is_silent(std::uint64_t instance) const {
    const auto found = rounds_.find(instance);
    return found != rounds_.end() && found->second >= kRoundsMax;
  }
  // Whether this instance has heard itself lately, so that others do not count it as silent.
  bool is_heard(Instant now) const { return returned_ != 0 && now - heard_ < kHeardFor; }

  static constexpr Duration kInterval = std::chrono::milliseconds(400);
  static constexpr int kRoundsMax = 7;
  static constexpr int kGraceRounds = 8;
  static constexpr Duration kLostAfter = std::chrono::seconds(2);
  static constexpr Duration kHeardFor = std::chrono::seconds(2);

 private:
  const std::uint64_t self_;
  std::uint64_t last_ = 0;
  std::uint64_t returned_ = 0;
  Instant sent_{};
  Instant heard_{};
  Instant due_{};
  std::map<std::uint64_t, int> rounds_;  // since each other one was heard
};

}  // namespace fanfare::relay
