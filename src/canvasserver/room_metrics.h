#pragma once
// What a room counts. Written by its thread and by its loops, read by any.

#include <array>
#include <atomic>
#include <cstdint>

#include "canvas/error.h"

namespace fanfare::canvasserver {

struct RoomMetrics {
  std::atomic<std::uint64_t> users = 0;  // now
  std::atomic<std::uint64_t> connections = 0;
  std::atomic<std::uint64_t> binary_connections = 0;  // of these
  std::atomic<std::uint64_t> pixels = 0;              // drawn since the room exists
  std::atomic<std::uint64_t> chunks = 0;              // now
  std::atomic<std::uint64_t> ticks = 0;               // that changed something
  std::atomic<std::uint64_t> tick_interval_us = 0;    // now
  std::atomic<std::uint64_t> tick_cost_us = 0;        // the last one's
  std::atomic<std::uint64_t> cursors = 0;             // now
  std::atomic<std::uint64_t> messages = 0;            // of clients
  std::atomic<std::uint64_t> sent_bytes = 0;
  std::atomic<std::uint64_t> ticks_skipped = 0;  // for connections that read too slowly
  std::atomic<std::uint64_t> slow_closed = 0;    // connections that took nothing
  std::atomic<std::uint64_t> snapshots = 0;      // chunks that were compressed
  std::array<std::atomic<std::uint64_t>, canvas::kErrorCodeCount> refused{};  // by ErrorCode
  std::atomic<std::int64_t> first_ms = 0;  // of the first and last pixel, since 1970; 0: none
  std::atomic<std::int64_t> last_ms = 0;

  void count(canvas::ErrorCode code) {
    refused[static_cast<std::size_t>(code)].fetch_add(1, std::memory_order_relaxed);
  }
};

}  // namespace fanfare::canvasserver
