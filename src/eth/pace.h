#pragma once
// How often to ask a node: the block time as observed, and waiting longer after each failure.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "base/time.h"

namespace fanfare::eth {

// The median time between the last blocks. The blocks' own timestamps count, as they are right whenever
// the blocks are seen (a thousand at once after an outage); but they are whole seconds, so that for chains
// faster than a second their median is 0, and then the arrival of the blocks counts.
class BlockTime {
 public:
  static constexpr std::size_t kSamples = 16;

  // Seconds between two consecutive blocks by their timestamps.
  void saw_timestamps(std::uint64_t parent_s, std::uint64_t block_s);
  // `blocks` new ones were seen `elapsed` after the ones before.
  void saw_arrival(Duration elapsed, std::uint64_t blocks);

  // Empty until there is a sample.
  std::optional<Duration> median() const;

 private:
  struct Ring {
    std::array<Duration, kSamples> values{};
    std::size_t count = 0;
    std::size_t next = 0;
    void add(Duration value);
    std::optional<Duration> median() const;
  };
  Ring timestamps_;
  Ring arrivals_;
};

// Exponential, with jitter so that many gateways do not come back to a recovering node at one instant.
class Backoff {
 public:
  Backoff(Duration first, Duration most) : first_(first), most_(most), step_(first) {}

  // How long to wait now: between half of the step and the whole. The step doubles, up to the most.
  Duration next(Random& random);
  void reset() { step_ = first_; }

 private:
  Duration first_;
  Duration most_;
  Duration step_;
};

}  // namespace fanfare::eth
