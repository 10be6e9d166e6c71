#pragma once
// The ring, with TLS if the connections use it. Loads send and receive plain bytes.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "bench/bytebox.h"
#include "bench/dial.h"
#include "bench/ring.h"
#include "net/tls.h"

namespace fanfare::app {

class BenchTransport {
 public:
  using Handler = BenchRing::Handler;

  // Connections are numbered by their index, and must outlive this object.
  static std::expected<std::unique_ptr<BenchTransport>, std::string> create(std::vector<Dialed>& connections,
                                                                            net::LoopKind kind);
  BenchTransport(const BenchTransport&) = delete;
  BenchTransport& operator=(const BenchTransport&) = delete;
  ~BenchTransport();

  // As BenchRing::send().
  void send(std::size_t connection, Bytes bytes, bool untold = false) {
    if (secure_ == nullptr) return ring_->send(connection, bytes, untold);
    send_secure(connection, bytes, untold);
  }
  std::string_view name() const { return ring_->name(); }
  // As BenchRing::turn().
  void turn(Duration wait, Handler& handler);

 private:
  class Secure;
  explicit BenchTransport(std::unique_ptr<BenchRing> ring);
  void send_secure(std::size_t connection, Bytes bytes, bool untold);

  std::unique_ptr<BenchRing> ring_;
  std::unique_ptr<Secure> secure_;  // null: no TLS
};

}  // namespace fanfare::app
