#pragma once
// The load generator's own loop over io_uring: as little between it and the kernel as there can be, so that
// it is the server that is measured. Registered descriptors, multishot receives into provided buffers, sends
// from memory that stays where it is. One thread; needs Linux 6.1.

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

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

  // Connections are numbered as they stand in `fds`, whose owner keeps them open.
  static std::expected<std::unique_ptr<BenchRing>, std::string> create(const std::vector<int>& fds);
  BenchRing(const BenchRing&) = delete;
  BenchRing& operator=(const BenchRing&) = delete;
  ~BenchRing();

  // All of the bytes, which stay where they are until on_sent(). One at a time for each connection, or their
  // parts may mix. `untold`: without on_sent() if all goes well, for bytes that always fit the socket's
  // buffer.
  void send(std::size_t connection, Bytes bytes, bool untold = false);
  // Submits, waits at most so long for the first completion, hands out all there are.
  void turn(Duration wait, Handler& handler);

 private:
  struct Ring;
  explicit BenchRing(std::unique_ptr<Ring> ring);
  void receive(std::size_t connection);

  std::unique_ptr<Ring> ring_;
  std::vector<std::size_t> starved_;  // no buffer was free
};

}  // namespace fanfare::app
