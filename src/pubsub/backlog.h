#pragma once
// What one subscriber has not been sent of one topic, because it reads too slowly: bounded, and exact about
// what it gave up. One thread.
//
//   keep_latest is a backlog of one.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/shared_bytes.h"

namespace fanfare::pubsub {

class Backlog {
 public:
  // frames_max >= 1.
  explicit Backlog(std::size_t frames_max);

  // The oldest frame goes when there are frames_max already.
  void add(SharedBytes frame);

  struct Next {
    std::uint64_t missed = 0;  // how many frames before this one were given up since the last Next
    SharedBytes frame;
  };
  // The oldest frame kept; empty when nothing waits.
  std::optional<Next> take();

  bool empty() const { return frames_.empty(); }
  std::size_t size() const { return frames_.size(); }
  std::size_t bytes() const { return bytes_; }
  // Fewer than wait already: the oldest go now.
  void set_frames_max(std::size_t frames_max);

 private:
  void drop_oldest();

  std::size_t frames_max_;
  std::deque<SharedBytes> frames_;
  std::size_t bytes_ = 0;
  std::uint64_t missed_ = 0;  // given up, and not told yet; all of them older than what waits
};

}  // namespace fanfare::pubsub
