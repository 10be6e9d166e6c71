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
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "eth/announced_chain.h"
#include "eth/block_fill.h"
#include "eth/block_requests.h"
#include "eth/branch.h"
#include "eth/header.h"
#include "eth/poll_pace.h"
#include "jsonrpc/upstream_call.h"

namespace fanfare::eth {

struct HeadPollerOptions {
  std::string_view tag = "latest";  // static; of the block that is polled
  // For tags that never go back: a block at or below the settled ones (settle_to()) says nothing, whatever its hash.
  // Only a higher one that is on another branch replaces blocks.
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

struct HeadPollerStatus {
  std::uint64_t polls = 0;
  std::uint64_t calls = 0;
  std::uint64_t backfilled = 0;         // blocks not from polls: for jumps, forks and the start
  std::uint64_t failures = 0;           // rounds given up, for any reason
  std::uint32_t failures_in_a_row = 0;  // 0: the last poll was answered
  std::string last_failure;             // one line
  std::optional<Instant> last_answer;   // the time of the last poll with a valid answer
  Duration poll_interval{};
};

class HeadPoller {
 public:
  using Status = HeadPollerStatus;

  // `call_ids` and `random` must outlive the poller.
  HeadPoller(const HeadPollerOptions& options, jsonrpc::CallIds& call_ids, Random& random);

  void start(Instant now);
  void on_timer(Instant now);
  // False: the call is not, or no longer, one of this poller.
  bool on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now);
  // Something hints at a new head (an upstream notification): polls at once unless a round is in progress.
  // On a chain without a rhythm the next poll that is due then waits for `rest` longer: polls become no more.
  void poll_now(Instant now, Duration rest = {});
  // Whether a node pushes hints about new heads, so that polls may be less frequent.
  void set_pushed(bool pushed, Instant now);
  // Abandons the round in progress and polls at once: the node it uses may never answer.
  void restart_polling(Instant now);
  // With only_forward: the last settled block. Those above it may still be of a branch that no poll names any more.
  void settle_to(std::uint64_t number) { settled_ = number; }

  // No poll, and nothing that follows from one, is in progress.
  bool is_idle() const { return phase_ == Phase::idle; }
  // When the last poll began, and how long after it another one that is not due may begin.
  Instant last_poll() const { return round_started_; }
  Duration poll_gap_min() const { return pace_.gap_min(); }

  // Call after each of the functions above. Calls may be sent as one batch.
  std::vector<jsonrpc::UpstreamCall> take_calls();
  std::vector<HeadEvent> take_events();
  std::optional<Instant> next_timer() const { return timer_; }

  const Status& status() const { return status_; }
  // The last announced head, or the baseline; null before the first answer.
  const HeaderPtr& tip() const { return chain_.tip(); }
  // Whether this block is one of the last window_blocks announced, and still part of the chain.
  bool shows(std::uint64_t number, const Hash256& hash) const { return chain_.shows(number, hash); }
  // The observed block time; empty until two blocks were seen.
  std::optional<Duration> block_time() const { return pace_.block_time(); }

 private:
  enum class Phase { idle, polling, backfilling, filling, walking, comparing_genesis };

  void poll(Instant now);
  void ask(BlockRequest request);
  bool ask_again(BlockRequest request);
  void finish_round(Instant now);
  void give_up_round(std::string why, Instant now);
  void cannot_resolve(std::string why, Instant now);
  void clear_round();

  void on_latest(std::string_view json, Instant now);
  void on_failure(BlockRequest request, const jsonrpc::CallFailure& failure, Instant now);
  void on_filled(BlockRequest request, std::string_view json, Instant now);
  void on_walked(BlockRequest request, std::string_view json, Instant now);
  void on_genesis(std::string_view json, Instant now);
  void on_backfilled(std::uint64_t number, std::string_view json, Instant now);

  void resolve(Instant now);
  void start_backfill(Instant now);
  void start_filling(Instant now);
  void ask_to_fill();
  bool announce_filled(Instant now);
  void attach();
  void jump_to_target(Instant now);
  void replace_chain(HeaderPtr genesis, Instant now);
  void still_stale(Instant now);
  void announce(HeaderPtr header);
  void set_baseline(HeaderPtr header);

  const HeadPollerOptions options_;
  PollPace pace_;
  AnnouncedChain chain_;
  std::optional<Hash256> genesis_;
  BlockRequests first_genesis_;  // beside the rounds

  Phase phase_ = Phase::idle;
  BlockRequests requests_;                          // of this round
  HeaderPtr target_;                                // the latest block of this round
  Branch branch_;                                   // ends at target_; remembers the walks of failed rounds
  BlockFill fill_;                                  // while filling
  std::map<std::uint64_t, HeaderPtr> below_start_;  // while backfilling
  bool behind_ = false;                             // more blocks are known to exist: poll again at once
  std::uint32_t stale_polls_ = 0;
  std::uint32_t stuck_rounds_ = 0;
  std::uint64_t settled_ = 0;

  std::optional<Instant> timer_;
  Instant round_started_{};
  Duration rest_{};  // after this round
  std::uint64_t announced_in_round_ = 0;
  Status status_;
};

}  // namespace fanfare::eth
