#pragma once
// Follows the head of a chain by polling a node. No I/O: it produces calls and timers, receives the answers,
// and yields heads in order, each linked to the one before, with none skipped.
//
// Calls. Each poll is one eth_getBlockByNumber("latest"), for any number of subscribers. eth_blockNumber
// would be a smaller answer while nothing happens. But it would cost a second call and round trip for every
// block, and miss a fork at the same height. So a chain that advances by one costs one call per poll. A jump
// by n costs n - 1 more, in parallel up to calls_in_flight_max. A fork of depth d costs d - 1 more, one after
// another, as each block names its parent.
//
//   latest is ...                              then
//   known, at or below our tip                 nothing (a lagging node, or evm_revert before its next block)
//   the child of our tip                       head
//   above our tip + 1                          fetch what lies between by number, announce in order
//   on another branch                          walk back by parent hash to a block of ours; reorg, heads
//   below everything we remember               compare genesis: another chain at once, a lagging node only
//                                              after stale_polls_max polls
//
// Any failure (an error, `null` for a block just announced, blocks that do not link) ends the round.
// Announced blocks stay, and the next poll continues from there. One thread.

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "eth/header.h"
#include "eth/pace.h"
#include "jsonrpc/upstream_call.h"

namespace fanfare::eth {

struct HeadPollerOptions {
  std::string_view tag = "latest";  // static; of the block that is polled
  // A block at or below the tip says nothing, whatever its hash: for tags that never go back. Only a higher one
  // that is on another branch replaces blocks.
  bool only_forward = false;
  // Polls are polls_per_block times as frequent as blocks, between these bounds.
  Duration poll_interval_min = std::chrono::milliseconds(200);
  Duration poll_interval_max = std::chrono::seconds(2);
  Duration poll_interval_initial = std::chrono::milliseconds(500);  // until a block time is known
  std::uint32_t polls_per_block = 4;
  // While the node pushes new heads (set_pushed), polls only check that it still does: once per one and a
  // half blocks, between these bounds.
  Duration watch_interval_min = std::chrono::seconds(1);
  Duration watch_interval_max = std::chrono::seconds(30);
  Duration backoff_min = std::chrono::milliseconds(250);
  Duration backoff_max = std::chrono::seconds(10);
  Duration call_timeout = std::chrono::seconds(15);  // a round is given up after this time without any answer
  std::uint32_t window_blocks = 256;                 // the deepest fork that is still resolved exactly
  std::uint32_t backfill_blocks = 16;  // remembered from before the start, in case a fork begins there
  std::uint32_t calls_in_flight_max = 16;
  std::uint64_t catch_up_blocks_max = 10'000;  // a longer gap loses its oldest blocks, with a Gap event
  std::uint32_t stale_polls_max = 8;           // a head far below ours is accepted after so many polls
  std::uint32_t block_tries_max = 4;           // of one block of a jump or a fork, in one round without delay
  std::uint32_t stuck_rounds_max = 20;         // then an unavailable block is given up, with a Gap event
};

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

class HeadPoller {
 public:
  struct Status {
    std::uint64_t polls = 0;
    std::uint64_t calls = 0;
    std::uint64_t backfilled = 0;         // blocks not from polls: for jumps, forks and the start
    std::uint64_t failures = 0;           // rounds given up, for any reason
    std::uint32_t failures_in_a_row = 0;  // 0: the last poll was answered
    std::string last_failure;             // one line
    std::optional<Instant> last_answer;   // the time of the last poll with a valid answer
    Duration poll_interval{};
  };

  // `call_ids` and `random` must outlive the poller.
  HeadPoller(const HeadPollerOptions& options, jsonrpc::CallIds& call_ids, Random& random);

  void start(Instant now);
  void on_timer(Instant now);
  // False: the call is not, or no longer, one of this poller.
  bool on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now);
  // Something hints at a new head (an upstream notification): polls at once unless a round is in progress.
  void poll_now(Instant now);
  // Whether a node pushes hints about new heads, so that polls may be less frequent.
  void set_pushed(bool pushed, Instant now);
  // Abandons the round in progress and polls at once: the node it uses may never answer.
  void restart_polling(Instant now);

  // Call after each of the functions above. Calls may be sent as one batch.
  std::vector<jsonrpc::UpstreamCall> take_calls();
  std::vector<HeadEvent> take_events();
  std::optional<Instant> next_timer() const { return timer_; }

  const Status& status() const { return status_; }
  // The last announced head, or the baseline; null before the first answer.
  const HeaderPtr& tip() const { return tip_; }
  // Whether this block is one of the last window_blocks announced, and still part of the chain.
  bool shows(std::uint64_t number, const Hash256& hash) const { return in_view(number, hash); }
  // The observed block time; empty until two blocks were seen.
  std::optional<Duration> block_time() const { return block_time_.median(); }

 private:
  enum class Phase { idle, polling, backfilling, filling, walking, comparing_genesis };
  static constexpr std::string_view kByNumber = "eth_getBlockByNumber";
  static constexpr std::string_view kByHash = "eth_getBlockByHash";

  // The block of an answer, or the reason why there is none, as one line.
  static std::expected<HeaderPtr, std::string> read_block(std::string_view json);

  void poll(Instant now);
  std::uint64_t call(std::string_view method, std::string_view first_param, std::uint64_t block = 0);
  void finish_round(Instant now);
  void give_up_round(std::string why, Instant now);
  void cannot_resolve(std::string why, Instant now);
  void clear_round();

  void on_latest(std::string_view json, Instant now);
  void on_filled(std::uint64_t number, std::string_view json, Instant now);
  void on_walked(std::string_view json, Instant now);
  bool ask_again(std::uint64_t number);
  void on_genesis(std::string_view json, Instant now);
  void on_backfilled(std::uint64_t number, std::string_view json, Instant now);

  void resolve(Instant now);
  void start_backfill(Instant now);
  void start_filling(Instant now);
  void ask_to_fill();
  bool announce_filled(Instant now);
  void attach(bool whole_window);
  void jump_to_target();
  void replace_chain(HeaderPtr genesis, Instant now);
  void still_stale(Instant now);
  void announce(HeaderPtr header);
  void set_baseline(HeaderPtr header);

  bool in_view(std::uint64_t number, const Hash256& hash) const;
  std::uint64_t view_end() const { return view_first_ + view_.size(); }
  void announce_reorg(std::uint64_t depth, bool whole_window, bool other_genesis);
  Duration interval() const;

  HeadPollerOptions options_;
  jsonrpc::CallIds& call_ids_;
  Random& random_;

  // The announced chain: hashes of consecutive blocks; the last is the tip's.
  std::deque<Hash256> view_;
  std::uint64_t view_first_ = 0;
  bool view_trimmed_ = false;  // older blocks were announced and forgotten
  HeaderPtr tip_;
  std::optional<Hash256> genesis_;
  std::optional<std::uint64_t> first_genesis_call_;

  Phase phase_ = Phase::idle;
  std::map<std::uint64_t, std::uint64_t> outstanding_;  // call id -> block number (filling)
  HeaderPtr target_;                                    // the latest block of this round
  std::deque<HeaderPtr> branch_;                        // linked, ends at target_
  // Blocks walked in a failed round: a fork of depth d must not need d answers in a row without a failure.
  std::map<Hash256, HeaderPtr> walked_;
  std::map<std::uint64_t, HeaderPtr> filled_;            // arrived before their turn
  std::map<std::uint64_t, std::uint32_t> failed_tries_;  // in this round, by block
  std::uint64_t fill_next_ask_ = 0;
  std::uint64_t fill_end_ = 0;
  std::uint64_t fill_next_announce_ = 0;
  std::optional<Gap> gap_before_fill_;  // reported when the first block after it arrives
  bool pushed_ = false;
  bool behind_ = false;  // more blocks are known to exist: poll again at once
  std::uint32_t stale_polls_ = 0;
  std::uint32_t stuck_rounds_ = 0;

  std::optional<Instant> timer_;
  Instant round_started_;
  std::optional<Instant> last_progress_;
  std::uint64_t announced_in_round_ = 0;
  BlockTime block_time_;
  Backoff backoff_;
  std::vector<jsonrpc::UpstreamCall> calls_;
  std::vector<HeadEvent> events_;
  Status status_;
};

}  // namespace fanfare::eth
