#pragma once
// The cells of metrics: written by many threads without a lock, read when metrics are requested.
//
// A counter is spread over several cache lines, one per thread as long as there are enough, so that two loops
// do not contend for a line. All accesses are relaxed: a reading is not a snapshot across cells, but every
// cell is exact and a counter never decreases.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace fanfare::gateway {

// The cell of the calling thread; threads are assigned in rotation.
inline std::size_t metric_cell(std::size_t cells) {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t mine = threads.fetch_add(1, std::memory_order_relaxed);
  return mine % cells;
}

class Counter {
 public:
  void add(std::uint64_t count = 1) {
    cells_[metric_cell(kCells)].count.fetch_add(count, std::memory_order_relaxed);
  }
  std::uint64_t value() const {
    std::uint64_t sum = 0;
    for (const Cell& cell : cells_) sum += cell.count.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr std::size_t kCells = 8;
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> count{0};
  };
  std::array<Cell, kCells> cells_;
};

// Goes up and down, or is set by one owner. For rare changes: it is a single cell.
class Gauge {
 public:
  void add(std::int64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  void sub(std::int64_t count = 1) { value_.fetch_sub(count, std::memory_order_relaxed); }
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Counters of the compression of HTTP answers.
struct CompressionCells {
  Counter compressed;  // answers
  Counter bytes_in;    // of their bodies, before compression
  Counter bytes_out;   // and after
  Counter no_room;     // answers sent uncompressed because too many waited
};

// Durations, in buckets.
class LatencyHistogram {
 public:
  // Upper bounds, inclusive; longer durations fall into one more bucket.
  static constexpr std::array kBounds{
      Duration{std::chrono::milliseconds(1)},    Duration{std::chrono::milliseconds(2)},
      Duration{std::chrono::milliseconds(5)},    Duration{std::chrono::milliseconds(10)},
      Duration{std::chrono::milliseconds(25)},   Duration{std::chrono::milliseconds(50)},
      Duration{std::chrono::milliseconds(100)},  Duration{std::chrono::milliseconds(250)},
      Duration{std::chrono::milliseconds(500)},  Duration{std::chrono::seconds(1)},
      Duration{std::chrono::milliseconds(2500)}, Duration{std::chrono::seconds(5)},
      Duration{std::chrono::seconds(10)},        Duration{std::chrono::seconds(30)},
  };
  static constexpr std::size_t kBuckets = kBounds.size() + 1;

  void observe(Duration took) {
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && took > kBounds[bucket]) ++bucket;
    buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
    if (took > Duration::zero())
      sum_ns_.fetch_add(static_cast<std::uint64_t>(took.count()), std::memory_order_relaxed);
  }

  std::uint64_t bucket(std::size_t index) const { return buckets_[index].load(std::memory_order_relaxed); }
  double sum_seconds() const { return static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) * 1e-9; }

 private:
  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

// One counter for each enumerator. The enumeration must end with `count_`.
template <typename Enumeration, typename Cell = Counter>
class PerEach {
 public:
  static constexpr std::size_t kSize = static_cast<std::size_t>(Enumeration::count_);
  Cell& operator[](Enumeration which) { return cells_[static_cast<std::size_t>(which)]; }
  const Cell& operator[](Enumeration which) const { return cells_[static_cast<std::size_t>(which)]; }

 private:
  std::array<Cell, kSize> cells_;
};

}  // namespace fanfare::gateway
