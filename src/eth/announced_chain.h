#pragma once
// The blocks that a head poller has announced: the hashes of the last ones, and the events that made them known. Every
// change of the chain is an event, so replaying the events gives the same chain. No I/O. One thread.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "eth/header.h"

namespace fanfare::eth {

using HeaderPtr = std::shared_ptr<const Header>;

// The head at the start: the first known block. It is not new, so newHeads does not announce it.
struct Baseline {
  HeaderPtr header;
};
struct NewHead {
  HeaderPtr header;
};
// The last `depth` blocks are no longer part of the chain; the heads that follow replace them.
struct Reorg {
  std::uint64_t depth = 0;
  std::uint64_t old_number = 0;
  Hash256 old_hash;
  std::uint64_t new_number = 0;
  Hash256 new_hash;
  // No block of the window is left: even older announced blocks may be gone too.
  bool beyond_window = false;
  bool other_genesis = false;  // the node serves another chain now
};
// Blocks that were never announced and never will be.
struct Gap {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};
using HeadEvent = std::variant<Baseline, NewHead, Reorg, Gap>;

class AnnouncedChain {
 public:
  // One block more than the window is kept: the one from which a fork of full depth starts.
  explicit AnnouncedChain(std::uint32_t window_blocks) : window_blocks_(window_blocks) {}

  bool is_empty() const { return view_.empty(); }
  std::uint64_t first() const { return first_; }
  std::uint64_t end() const { return first_ + view_.size(); }
  // The last announced head, or the baseline; null before the first one.
  const HeaderPtr& tip() const { return tip_; }
  // Whether this block is one of those kept.
  bool shows(std::uint64_t number, const Hash256& hash) const;
  // Whether the block is the child of the last one. Not after skip() or lose().
  bool continues_with(const Header& header) const {
    return !view_.empty() && view_.back() == header.parent_hash;
  }

  void begin(HeaderPtr header);   // Baseline
  void append(HeaderPtr header);  // NewHead
  // Remembers blocks before the first one, as far as they link to it. No event.
  void prepend(const std::map<std::uint64_t, HeaderPtr>& blocks);

  // Each of these removes blocks, for the sake of `target`, which the caller appends or begins with afterwards.
  void keep_below(std::uint64_t number, const Header& target);  // Reorg, unless there is nothing to remove
  void go_back_to(const Header& target);                        // Reorg, beyond the window
  void lose(const Header& target);  // Gap if it is above all blocks, else go_back_to()
  void skip(const Gap& gap);        // Gap
  // The node serves another chain: Reorg, and only its first block is kept, without a NewHead.
  void restart(HeaderPtr genesis, const Header& target);

  std::vector<HeadEvent> take_events();

 private:
  void add_reorg(std::uint64_t depth, const Header& target, bool beyond_window, bool other_genesis = false);
  void forget();

  const std::uint32_t window_blocks_;
  std::deque<Hash256> view_;  // of consecutive blocks; the last is the tip's
  std::uint64_t first_ = 0;
  bool trimmed_ = false;  // older blocks were announced and forgotten
  HeaderPtr tip_;
  std::vector<HeadEvent> events_;
};

}  // namespace fanfare::eth
