#pragma once
// What the defence's thread decides and the loops obey, and what they count. Relaxed atomics: any thread.

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>

#include "gateway/defend/load_control.h"
#include "gateway/defend/memory_level.h"
#include "gateway/metrics_values.h"
#include "rpc/slice_load.h"

namespace fanfare::gateway {

// New work that is refused.
enum class Work : std::uint8_t {
  request,     // an HTTP request: 503
  connection,  // a WebSocket or an event stream: 503, or 1013 for a page
  call,        // over a WebSocket: -32005
  count_,
};

// Why it is refused; the first that applies.
enum class Shortage : std::uint8_t {
  memory,    // MemoryLevel
  loop,      // the connection's loop is late
  batches,   // its long batches are: only further ones are refused
  upstream,  // the thread that talks to the network's nodes is
  count_,
};

// Of one thread.
struct LoadCells {
  std::atomic<std::uint32_t> admitted{LoadControl::kWhole};
  std::atomic<bool> is_wary{false};       // LoadControl::is_wary(); only of batches
  std::atomic<std::int64_t> delay_ns{0};  // the last one measured

  bool is_overloaded() const { return admitted.load(std::memory_order_relaxed) < LoadControl::kWhole; }
};

struct DefenceCells {
  std::atomic<MemoryLevel> memory{MemoryLevel::normal};
  std::atomic<std::uint64_t> memory_used{0};
  std::atomic<std::uint64_t> memory_ceiling{0};
  std::deque<LoadCells> loops;        // complete before the first is read by another thread
  std::deque<LoadCells> workers;      // of upstreams
  std::deque<LoadCells> batches;      // long ones of each loop
  std::deque<rpc::SliceLoad> slices;  // of each loop, which writes them
  std::array<PerEach<Shortage>, static_cast<std::size_t>(Work::count_)> refused;
  Counter shed_connections;
  Counter shed_bytes;

  Counter& refused_for(Work work, Shortage why) { return refused[static_cast<std::size_t>(work)][why]; }
};

}  // namespace fanfare::gateway
