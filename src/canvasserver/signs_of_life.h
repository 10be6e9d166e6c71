#pragma once
// What an instance of a shared room hears of the others, and of itself: whoever does not hear its own signs of life hears nobody, and
// takes nobody for gone. The room's thread.

#include <algorithm>
#include <chrono>
#include <map>

#include "base/time.h"
#include "canvas/shared_batch.h"

namespace fanfare::canvasserver {

// Signs of life of an instance that has users, or looks after others; and how long others wait for one.
inline constexpr Duration kAliveInterval = std::chrono::seconds(1);
inline constexpr Duration kAliveWait = std::chrono::seconds(3);
// An instance that does not hear its own signs for so long hears nobody.
inline constexpr Duration kDeafAfter = std::chrono::milliseconds(1500);

class SignsOfLife {
 public:
  explicit SignsOfLife(canvas::InstanceId own) : own_(own) {}

  void heard(canvas::InstanceId instance, Instant now) { heard_[instance] = now; }
  // Waits for its next sign as if it had never been heard.
  void forget(canvas::InstanceId instance) { heard_.erase(instance); }
  void forget_all() { heard_.clear(); }

  bool has_others(Instant now) const {
    return std::ranges::any_of(
        heard_, [&](const auto& one) { return one.first != own_ && now - one.second < kAliveWait; });
  }
  // To be called before a round of is_gone(). `looked`: the time of the last such call. If it is long ago, this process was stopped
  // and has heard nothing.
  void look(Instant looked, Instant now) {
    const auto own = heard_.find(own_);
    is_deaf_ = now - looked > kAliveInterval || own == heard_.end() || now - own->second > kDeafAfter;
    if (is_deaf_) std::erase_if(heard_, [this](const auto& one) { return one.first != own_; });
  }
  // Whether nothing was heard of it for kAliveWait. True once in that time, however often it is asked.
  bool is_gone(canvas::InstanceId other, Instant now) {
    if (is_deaf_) return false;
    const auto [heard, is_new] = heard_.try_emplace(other, now);
    if (is_new || now - heard->second < kAliveWait) return false;
    heard->second = now;
    return true;
  }

 private:
  const canvas::InstanceId own_;
  std::map<canvas::InstanceId, Instant> heard_;
  bool is_deaf_ = true;
};

}  // namespace fanfare::canvasserver
