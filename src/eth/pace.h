#pragma once
// How often to poll a node: by the observed block time, and less often after each failure.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "base/time.h"

namespace fanfare::eth {

// The median time between the last blocks. It uses the blocks' own timestamps, which are right whenever the
// blocks are seen (a thousand at once after an outage). They are whole seconds, so for chains faster than a
// second their median is 0; then the arrival times count.
class BlockTime {
 public:
  static constexpr std::size_t kSamples = 16;

  // The timestamps of two consecutive blocks, in seconds.
  void saw_timestamps(std::uint64_t parent_s, std::uint64_t block_s);
  // `blocks` new blocks arrived `elapsed` after the previous ones.
  void saw_arrival(Duration elapsed, std::uint64_t blocks);

  // Empty until there is a sample.
  std::optional<Duration> median() const;
  // By the arrivals alone: exact to less than a second, if blocks were seen one by one.
  std::optional<Duration> median_arrival() const { return arrivals_.median(); }

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

// Exponential, with jitter so that many gateways do not retry a recovering node at the same instant.
class Backoff {
 public:
  Backoff(Duration first, Duration most) : first_(first), most_(most), step_(first) {}

  // The delay before the next try: between half of the step and the whole. The step then doubles, up to the
  // maximum.
  Duration next(Random& random);
  void reset() { step_ = first_; }

 private:
  Duration first_;
  Duration most_;
  Duration step_;
};

}  // namespace fanfare::eth
