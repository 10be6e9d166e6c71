#pragma once
// The memory that an io_uring loop receives into: buffers of one size in a ring that all its streams share,
// so that a stream which receives nothing holds none.
//
// On kernels that fill them incrementally (most since 6.12) receives lie side by side in large buffers: what
// a turn brings is dense in the cache, however many streams it is from. They are filled in turn, so the fewer
// there are the warmer they stay. The kernel is shown few, and of each only the beginning, until somebody had
// to wait: then whole ones, then as many again. When nobody has waited for a while they go back to the system
// one after the other. On older kernels a receive takes a whole one for as long as its bytes are looked at.
//
// One thread only: the ring's.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "net/os_error.h"

struct io_uring;
struct io_uring_buf_ring;

namespace fanfare::net {

class ReceiveBuffers {
 public:
  static constexpr int kGroup = 0;  // what receives that take from here name
  // In a completion's flags: its buffer is not full, and more will come into it. Of the kernel's interface,
  // and newer than the distribution's liburing: IORING_CQE_F_BUF_MORE.
  static constexpr std::uint32_t kHasMore = 1U << 4U;
  static constexpr Duration kNeededFor = std::chrono::seconds(10);  // after somebody waited

  ReceiveBuffers() = default;
  ReceiveBuffers(const ReceiveBuffers&) = delete;
  ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;
  ~ReceiveBuffers();

  // Before all else, once. The ring must end before these do.
  std::optional<OsError> attach(io_uring& ring, std::size_t streams_max);

  // What a receive put into the buffer its completion names.
  MutableBytes received(unsigned index, std::size_t size) {
    const MutableBytes bytes(memory_ + index * bytes_ + filled_[index], size);
    filled_[index] += static_cast<std::uint32_t>(size);
    return bytes;
  }
  // The kernel will put nothing more into it, and nobody looks at its bytes any more.
  void is_free(unsigned index, Instant now);
  // Shows the kernel those that are free again; at the end of a turn.
  void show_free() {
    if (free_ > 0) show_them();
  }
  // A receive ended because there was none.
  void make_room(Instant now);

  // The pages that nobody needed since it was called last, where little came since; `in_use` says that a
  // receive may have happened which nobody has looked at.
  void forget_unneeded(bool in_use);

  // How many the kernel has, and how much of each it is given when it comes back.
  unsigned shown() const { return count_ - static_cast<unsigned>(spare_.size()); }
  std::size_t shown_bytes() const { return shown_bytes_; }

 private:
  struct Shape;
  std::optional<OsError> take(io_uring& ring, const Shape& shape);
  void release();
  void give_back(unsigned index);
  void retire(unsigned index);
  void show_more(unsigned how_many);
  void show_them();

  io_uring_buf_ring* ring_ = nullptr;
  std::uint8_t* memory_ = nullptr;
  unsigned count_ = 0;
  std::size_t bytes_ = 0;
  unsigned shown_min_ = 0;
  std::size_t shown_bytes_ = 0;
  std::size_t quiet_bytes_ = 0;        // shown of each while little comes
  unsigned small_shown_ = 0;           // shown with fewer bytes than now, and before all others
  bool were_small_ = false;            // some of those there were since the last make_room()
  std::vector<unsigned> spare_;        // not shown
  std::vector<std::uint32_t> filled_;  // how far, each
  unsigned free_ = 0;                  // in the ring, but not shown yet
  std::size_t came_ = 0;               // bytes since forget_unneeded(), in buffers that came back
  Instant made_room_at_{};             // the last time
};

}  // namespace fanfare::net
