#pragma once
// Tracks whether a peer is still accepting the data sent to it. A deadline for a peer's reply, its Close or
// its FIN must not expire while the peer still reads earlier data. But a peer that accepts a byte per second
// must not hold a connection forever. So time does not count while the peer accepts at least
// `bytes_per_second_min` on average. After everything was accepted, the peer has the whole deadline, once.
// A ping of our own is no such data: the idle timeout would never expire, because pings are accepted forever.
//
// A session has one only while a deadline is running and data is queued. Times are from
// SessionTable::now_ms().

#include <algorithm>
#include <cstdint>
#include <utility>

#include "net/stream.h"

namespace fanfare::session {

class DrainWatch {
 public:
  DrainWatch(const net::SendProgress& progress, std::uint32_t now_ms)
      : bytes_(progress.bytes), counted_from_ms_(now_ms) {}

  bool began_at(std::uint32_t now_ms) const { return !was_busy_ && counted_from_ms_ == now_ms; }

  bool is_complete() const { return is_complete_; }
  // A ping of ours was queued, so not everything has been accepted.
  void begin_again() {
    pinged_ = is_complete_;
    is_complete_ = false;
  }
  // What waits may be only a ping of ours.
  void note_ping() { pinged_ = true; }

  void look(const net::SendProgress& progress, std::uint32_t now_ms, std::uint32_t bytes_per_second_min) {
    const std::uint32_t taken = progress.bytes - bytes_;
    const std::uint64_t elapsed_ms = now_ms - counted_from_ms_;
    is_complete_ = progress.is_complete;
    if (!is_complete_ && (taken == 0 || std::uint64_t{1000} * taken < elapsed_ms * bytes_per_second_min)) {
      return;
    }
    bytes_ = progress.bytes;
    counted_from_ms_ = now_ms;
    if (std::exchange(pinged_, false) && is_complete_ && taken <= kPingBytesMax) return;
    busy_until_ms_ = now_ms;
    was_busy_ = true;
  }

  // How much of a deadline that began `since_ms` ago has elapsed.
  std::uint32_t counted(std::uint32_t since_ms, std::uint32_t now_ms) const {
    return was_busy_ ? std::min(since_ms, now_ms - busy_until_ms_) : since_ms;
  }

 private:
  // On the wire: a frame without payload, and TLS's record around it.
  static constexpr std::uint32_t kPingBytesMax = 64;

  std::uint32_t bytes_;
  std::uint32_t counted_from_ms_;
  std::uint32_t busy_until_ms_ = 0;
  bool was_busy_ = false;
  bool is_complete_ = false;
  bool pinged_ = false;
};

}  // namespace fanfare::session
