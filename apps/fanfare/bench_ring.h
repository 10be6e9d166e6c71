#pragma once
// The load generator's own loop: as little between it and the kernel as there can be, so that it is the
// server that is measured. Over io_uring: registered descriptors, multishot receives into provided buffers,
// sends from memory that stays where it is. Over epoll where the system has no io_uring for us. One thread.

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "net/loop.h"

namespace fanfare::app {

class BenchRing {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // The bytes are the callee's to change until it returns.
    virtual void on_bytes(std::size_t connection, MutableBytes bytes) = 0;
    virtual void on_sent(std::size_t connection) = 0;
    // FIN (0) or an errno. Nothing more is received.
    virtual void on_gone(std::size_t connection, int code) = 0;
  };
  using Made = std::expected<std::unique_ptr<BenchRing>, std::string>;

  // Connections are numbered as they stand in `fds`, whose owner keeps them open. automatic: epoll if
  // io_uring (as of Linux 6.1) is not to be had.
  static Made create(const std::vector<int>& fds, net::LoopKind kind);
  BenchRing() = default;
  BenchRing(const BenchRing&) = delete;
  BenchRing& operator=(const BenchRing&) = delete;
  virtual ~BenchRing() = default;

  // All of the bytes, which stay where they are until on_sent(). One at a time for each connection, or their
  // parts may mix. `untold`: without on_sent() if all goes well, for bytes that always fit the socket's
  // buffer.
  virtual void send(std::size_t connection, Bytes bytes, bool untold) = 0;
  // Submits, waits at most so long for something to happen, hands out all there is. The handler is called
  // from here only.
  virtual void turn(Duration wait, Handler& handler) = 0;
  virtual std::string_view name() const = 0;  // "io_uring" or "epoll"
};

BenchRing::Made make_uring_ring(const std::vector<int>& fds);
BenchRing::Made make_epoll_ring(const std::vector<int>& fds);

}  // namespace fanfare::app
