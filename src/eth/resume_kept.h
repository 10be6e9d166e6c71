#pragma once
// One subscription that a session remembers (resume_record.h). No locks: the record's.

#include <cstdint>

#include "eth/resume_image.h"
#include "eth/resume_turns.h"

namespace fanfare::eth {

struct KeptSubscription {
  std::uint64_t made = 0;  // when it was made first; 0: free
  std::uint64_t left = 0;  // the last owner that had it
  bool is_claimed = false;
  bool is_retracting = false;
  bool is_stale = false;         // as a turn without a position:
  bool is_stale_held = false;    // no confirmation covers it
  bool is_stale_pinged = false;  // that of the last ping does
  TopicHash topic{};
  SubscriptionId id{};
  Mark confirmed = {};
  Mark pinged = {};
  Mark latest = {};
  // To where reorgs have gone back since `confirmed`, and since `pinged`. Null: not behind it.
  Mark lowest = {};
  Mark lowest_pinged = {};
  // Before the last note:
  Mark before = {};  // `latest`
  Mark lowest_before = {};
  Mark lowest_pinged_before = {};
  bool has_turned = false;  // it has added a turn
  Mark after_gap = {};
  ResumeTurns turns = {};
};

}  // namespace fanfare::eth
