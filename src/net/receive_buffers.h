#pragma once
// The memory that an io_uring loop receives into: buffers of one size in a ring shared by all its streams. So
// a stream that receives nothing holds none.
//
// Kernels that fill buffers incrementally (most since 6.12) place receives side by side in large buffers. So
// the data of a turn is dense in the cache, however many streams it is from. Buffers are filled in turn, so
// fewer buffers stay warmer in the cache. The kernel is initially given few buffers, and only the beginning
// of each. After a receive had to wait for a buffer, it is given whole ones, then twice as many. When none
// has waited for a while, they return to the system one by one. On older kernels, a receive holds a whole
// buffer until its bytes have been processed.
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
  static constexpr int kGroup = 0;  // the group ID that receives from these buffers must use
  // Completion flag: the buffer is not full, and more data will be put into it. Part of the kernel's
  // interface, but newer than the distribution's liburing: IORING_CQE_F_BUF_MORE.
  static constexpr std::uint32_t kHasMore = 1U << 4U;
  static constexpr Duration kNeededFor = std::chrono::seconds(10);  // after a receive had to wait

  ReceiveBuffers() = default;
  ReceiveBuffers(const ReceiveBuffers&) = delete;
  ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;
  ~ReceiveBuffers();

  // Must be called first, and once. The ring must be destroyed before the buffers.
  std::optional<OsError> attach(io_uring& ring, std::size_t streams_max);

  // The bytes that a receive put into the buffer named by its completion.
  MutableBytes received(unsigned index, std::size_t size) {
    const MutableBytes bytes(memory_ + index * bytes_ + filled_[index], size);
    filled_[index] += static_cast<std::uint32_t>(size);
    return bytes;
  }
  // The kernel will not use the buffer any more, and its bytes have been processed.
  void release(unsigned index, Instant now);
  // Gives the free buffers back to the kernel; call it at the end of a turn.
  void show_free() {
    if (free_ > 0) show_them();
  }
  // A receive ended because no buffer was free.
  void make_room(Instant now);

  // If little has arrived lately, frees the pages not needed since the last call. `in_use`: there may be
  // received data that has not been processed.
  void forget_unneeded(bool in_use);

  // How many buffers the kernel has, and how many bytes of each it gets when it is returned.
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
  std::size_t quiet_bytes_ = 0;        // bytes shown of each while there is little traffic
  unsigned small_shown_ = 0;           // buffers shown with fewer bytes than now, at the front of the queue
  bool were_small_ = false;            // some of the buffers were small at the last make_room()
  std::vector<unsigned> spare_;        // not given to the kernel
  std::vector<std::uint32_t> filled_;  // how far each buffer is filled
  unsigned free_ = 0;                  // in the ring, but not yet visible to the kernel
  std::size_t came_ = 0;               // bytes since forget_unneeded(), in returned buffers
  Instant made_room_at_ = kLongAgo;    // the last time
};

}  // namespace fanfare::net
