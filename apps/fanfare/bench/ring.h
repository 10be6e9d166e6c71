#pragma once
// The load generator's event loop. It adds as little work as possible, so that the result measures the
// server. With io_uring it uses registered descriptors, multishot receives into provided buffers, and sends
// from stable memory. It uses epoll if io_uring is not available. One thread.

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
    // The callee may modify the bytes until it returns.
    virtual void on_bytes(std::size_t connection, MutableBytes bytes) = 0;
    virtual void on_sent(std::size_t connection) = 0;
    // FIN (0) or an errno. Nothing more is received.
    virtual void on_gone(std::size_t connection, int code) = 0;
  };
  using Made = std::expected<std::unique_ptr<BenchRing>, std::string>;

  // Connections are numbered by their index in `fds`, whose owner keeps them open. automatic: epoll if
  // io_uring (as of Linux 6.1) is not available.
  static Made create(const std::vector<int>& fds, net::LoopKind kind);
  BenchRing() = default;
  BenchRing(const BenchRing&) = delete;
  BenchRing& operator=(const BenchRing&) = delete;
  virtual ~BenchRing() = default;

  // Sends all bytes, which must stay valid until on_sent(). Only one send at a time per connection, otherwise
  // their parts may mix. `untold`: no on_sent() call on success; only for bytes that always fit the socket's
  // buffer.
  virtual void send(std::size_t connection, Bytes bytes, bool untold) = 0;
  // Submits, waits for at most this time for an event, then delivers all events. The handler is called only
  // from here.
  virtual void turn(Duration wait, Handler& handler) = 0;
  virtual std::string_view name() const = 0;  // "io_uring" or "epoll"
};

BenchRing::Made make_uring_ring(const std::vector<int>& fds);
BenchRing::Made make_epoll_ring(const std::vector<int>& fds);

}  // namespace fanfare::app
