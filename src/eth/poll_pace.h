#pragma once
// When to poll for the next head: by the observed block time, rarely while a node pushes its heads, and less often after
// each failed round. No I/O. One thread.

#include <cstdint>
#include <optional>

#include "base/random.h"
#include "base/time.h"
#include "eth/block_rhythm.h"
#include "eth/header.h"
#include "eth/pace.h"

namespace fanfare::eth {

struct HeadPollerOptions;

class PollPace {
 public:
  // Both must outlive it.
  PollPace(const HeadPollerOptions& options, Random& random);

  // From the start of one round to that of the next, on average.
  Duration interval() const;
  // When the next round starts, after one that started at `started` and ended well: around the time at which the next block
  // is expected, if the chain is regular; otherwise `rest` later than at even intervals.
  Instant next_poll(Instant started, Duration rest = {});
  // Two polls are never closer than this: on a regular chain the distance while a block is due.
  Duration gap_min() const;
  // The observed block time; empty until two blocks were seen.
  std::optional<Duration> block_time() const { return block_time_.median(); }
  // Returns whether it changes something.
  bool set_pushed(bool pushed);

  void saw_child(const Header& parent, const Header& block) {
    block_time_.saw_timestamps(parent.timestamp_s, block.timestamp_s);
  }
  // The baseline, or a round that was ended early after it announced blocks.
  void restart_clock(Instant now) { last_progress_ = now; }
  // `announced` blocks in a round that started at `started` and ended well.
  void finish_round(Instant started, Instant now, std::uint64_t announced);
  // The delay after a round that failed. It grows until a round ends well or announces something.
  Duration fail_round(Instant now, std::uint64_t announced);

 private:
  const HeadPollerOptions& options_;
  Random& random_;
  bool pushed_ = false;
  BlockTime block_time_;
  std::optional<Instant> last_progress_;
  std::optional<Instant> last_look_;  // the start of the last round that ended well
  Backoff backoff_;
  BlockRhythm rhythm_;
};

}  // namespace fanfare::eth
