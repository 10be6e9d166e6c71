#pragma once
// The frames of one topic that a slow subscriber has not been sent yet. The backlog is bounded and counts
// exactly what it dropped. One thread.
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
  // Requires frames_max >= 1.
  explicit Backlog(std::size_t frames_max);

  // Drops the oldest frame if there are already frames_max.
  void add(SharedBytes frame);

  struct Next {
    std::uint64_t missed = 0;  // frames before this one that were dropped since the last Next
    SharedBytes frame;
  };
  // Returns the oldest kept frame; empty if nothing is waiting.
  std::optional<Next> take();

  bool empty() const { return frames_.empty(); }
  std::size_t size() const { return frames_.size(); }
  std::size_t bytes() const { return bytes_; }
  // If more frames are waiting than the new limit allows, drops the oldest now.
  void set_frames_max(std::size_t frames_max);

 private:
  void drop_oldest();

  std::size_t frames_max_;
  std::deque<SharedBytes> frames_;
  std::size_t bytes_ = 0;
  std::uint64_t missed_ = 0;  // dropped and not yet reported; all of them older than the waiting frames
};

}  // namespace fanfare::pubsub
