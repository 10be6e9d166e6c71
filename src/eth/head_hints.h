#pragma once
// What a hint about a new head is worth, if its source may be wrong. A hint names a block, and is judged by what the
// poller then finds.
//
//   saw()      a source says that this block is its head
//   step()     after each step of the poller: what polls have shown
//   is_due()   a poll should begin now because of a hint; tell begin_poll()
//
//   the block is shown already       nothing happens
//   the poll shows it                confirmed: the source's pause is halved
//   the poll does not show it        in vain: the pause is doubled; the hint is polled for again, a few times
//   polls in vain, many in a row     take_useless() returns the source
//
// A source is of use while it announces blocks before polls find them. Any block counts that polls show later, whether or not
// a hint caused the poll, so that this is also known of sources that are not asked (`preferred`):
//
//   a round of polls with a new head, one of whose blocks the source had announced before    it is of use
//   `missed_max` such rounds in a row without one                                            it is not, any more
//
// So a source that is silent, always late, or names other blocks is of no use. A chain that stands still changes nothing.
//
// Hints only add polls: a source may be late, fall silent or leave blocks out at any time, and polls in the chain's rhythm find
// those. No I/O. One thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "eth/head_poller.h"
#include "eth/header.h"
#include "eth/interest.h"

namespace fanfare::eth {

struct HeadHintLimits {
  Duration pause_min = std::chrono::milliseconds(100);  // after the first poll in vain
  Duration pause_max = std::chrono::minutes(1);
  std::uint32_t tries_max = 4;     // polls for one hint
  std::uint32_t in_vain_max = 16;  // polls in a row, of one source
  std::uint32_t missed_max = 8;    // rounds in a row with a new head that the source had not announced
  // Blocks of a source that polls have not shown yet; beyond it the oldest is forgotten.
  std::size_t announced_max = 8;
};

class HeadHints {
 public:
  using Source = std::size_t;

  // The poller must outlive it.
  explicit HeadHints(const HeadPoller& heads, const HeadHintLimits& limits = {})
      : heads_(heads), limits_(limits) {}

  // Whether a source may say something.
  void set_live(Source source, bool live);
  // `preferred`: the source at which heads are polled. While it is live, the others are ignored: they may have a
  // block before it.
  void saw(Source source, Source preferred, std::uint64_t number, const Hash256& hash);
  void step(Instant now);
  bool is_due(Instant now) const { return heads_.is_idle() && due() && *due() <= now; }
  void begin_poll(Instant now);
  std::optional<Instant> next_timer() const { return heads_.is_idle() ? due() : std::nullopt; }

  std::optional<Source> take_useless();
  // Whether a source is of use, if that has changed. It is not before its first block, and when it is not live.
  struct Use {
    Source source = 0;
    bool of_use = false;
  };
  std::optional<Use> take_use();
  std::size_t known_sources() const { return sources_.size(); }

 private:
  struct Hint {
    std::uint64_t number = 0;
    Hash256 hash{};
    std::uint32_t tries = 0;
  };
  struct State {
    bool live = false;
    std::optional<Hint> waiting;  // for its poll
    std::optional<Hint> asked;    // by the poll in progress
    Duration pause{};
    Instant not_before{};
    std::uint32_t in_vain = 0;
    std::deque<BlockId> announced;  // the newest last
    std::uint32_t missed = 0;
    bool of_use = false;
    bool of_use_told = false;  // by take_use()
  };

  std::optional<Instant> due() const;
  bool is_shown(const Hint& hint) const { return heads_.shows(hint.number, hint.hash); }
  void note_round(State& state) const;
  void judge(Source source, State& state, bool has_progress, Instant now);
  void in_vain(Source source, State& state, Instant now);

  const HeadPoller& heads_;
  const HeadHintLimits limits_;
  std::map<Source, State> sources_;
  std::vector<Source> useless_;
  HeaderPtr tip_;  // after the last round
};

}  // namespace fanfare::eth
