#pragma once
// Predicts when the next block of a chain appears, from when the last ones did, and spaces the polls accordingly: few
// while no block is due, many around the expected time, fewer again when the block is late. The same number of polls as
// at even intervals then finds a block much sooner, if the chain is regular. No I/O. One thread.
//
//   block                                            expected block
//     |           poll                poll              | poll poll poll   poll     poll
//     '-----------'-------------------'---------- - - - [--'----'----]-----'--------'------->
//
// The bracket is as wide as the observed deviation requires. A chain whose blocks deviate by more than an eighth of
// the block time has no rhythm; next() is then empty, and the caller polls at even intervals.

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace fanfare::eth {

class BlockRhythm {
 public:
  // No two polls are closer than this.
  explicit BlockRhythm(Duration step_min) : step_min_(step_min) {}

  // The newest of `blocks` new blocks appeared after `after` and by `by`. `block_time` is used until the rhythm has measured
  // its own; > 0.
  void saw_blocks(Instant after, Instant by, std::uint64_t blocks, Duration block_time);
  // The time of the next poll, after one at `polled`. `even` is the interval without rhythm; the polls of a block
  // are no more than block time / `even`, on average. Empty: no rhythm.
  std::optional<Instant> next(Instant polled, Duration even);
  void forget() { due_.reset(); }

 private:
  void begin(Instant seen, Duration block_time);
  Duration margin() const;

  const Duration step_min_;
  std::optional<Instant> due_;  // of the next block
  Duration period_{};
  Duration deviation_{};      // of the blocks from their expected times, a running mean
  Duration step_{};           // to the next poll, once the block is due; zero before
  bool slot_passed_ = false;  // without a block, since the last one
  std::uint32_t lost_ = 0;    // blocks in a row without rhythm
};

}  // namespace fanfare::eth
