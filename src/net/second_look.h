#pragma once
// A second look at the sockets before a broadcast leaves. While one message is queued for all its receivers, the next ones of the same
// sender often arrive: sent together, they cost each receiver one system call instead of one a message, and so they do from then on,
// because a sender that waits for its messages sends the next ones together as well. The look itself is one system call. Loop thread.

#include <cstddef>
#include <utility>

#include "base/time.h"

namespace fanfare::net {

class SecondLook {
 public:
  // Of shared bytes, in one turn. Fewer sends take no longer than the look is worth.
  static constexpr std::size_t kPushesMin = 64;

  // Shared bytes were queued for a stream.
  void pushed() { ++pushes_; }
  // Once a turn, so that senders that never stop delay nothing for longer than one look.
  template <typename Loop>
  void before_flush(Loop& loop) {
    if (std::exchange(pushes_, 0) >= kPushesMin) look(loop);
  }

 private:
  template <typename Loop>
  [[gnu::noinline]] void look(Loop& loop) {
    loop.poll(Duration::zero());
    if (loop.has_tasks()) loop.run_tasks_and_timers();
    pushes_ = 0;
  }

  std::size_t pushes_ = 0;
};

}  // namespace fanfare::net
