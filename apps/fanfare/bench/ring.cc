#include "bench/ring.h"

namespace fanfare::app {

BenchRing::Made BenchRing::create(const std::vector<int>& fds, net::LoopKind kind) {
  switch (kind) {
    case net::LoopKind::uring:
      return make_uring_ring(fds);
    case net::LoopKind::epoll:
      return make_epoll_ring(fds);
    case net::LoopKind::automatic:
      break;
  }
  auto ring = make_uring_ring(fds);
  return ring ? std::move(ring) : make_epoll_ring(fds);
}

}  // namespace fanfare::app
