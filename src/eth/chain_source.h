#pragma once
// Everything that feeds a network's subscriptions, behind one interface: the head poller, the chain view,
// pending transactions and the sync state. Runs on the thread that talks to the node; its events go to the
// loops.
//
//   start / on_timer / on_reply / set_interest / resume   ->   take_events, take_history, take_calls,
//                                                              next_timer
//
// No I/O. One thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "eth/chain_view.h"
#include "eth/head_poller.h"
#include "eth/history.h"
#include "eth/interest.h"
#include "eth/pending_source.h"
#include "eth/syncing_source.h"
#include "eth/upstream_call.h"

namespace fanfare::eth {

struct ChainSourceOptions {
  HeadPollerOptions heads;
  ChainViewOptions chain;  // its window_blocks is taken from `heads`
  PendingSourceOptions pending;
  SyncingSourceOptions syncing;
  HistoryOptions history;
};

struct SyncingChanged {
  std::string result_json;
};
using SourceEvent =
    std::variant<Baseline, BlockAdded, BlockLogsLate, BlockRemoved, LogsMissing, Reorg, Gap, PendingHash,
                 PendingBody, PendingMissed, SyncingChanged, ReceiptsKnown, ReceiptsMissing>;

class ChainSource {
 public:
  // `random` must outlive the source.
  ChainSource(const ChainSourceOptions& options, Random& random);
  ChainSource(const ChainSource&) = delete;
  ChainSource& operator=(const ChainSource&) = delete;

  void start(Instant now);
  void on_timer(Instant now);
  // False: the call is not, or no longer, one of this source.
  bool on_reply(std::uint64_t call_id, const CallResult& result, Instant now);
  // Sets what the subscriptions of one loop need from now on. Loops are counted from 0.
  void set_interest(std::size_t loop_index, const Interest& interest, Instant now);
  // Something hints at a new head: polls at once.
  void poll_now(Instant now);
  // Whether a node pushes heads (its eth_subscribe). Pushed heads are hints: every announced block is fetched
  // first.
  void set_heads_pushed(bool pushed, Instant now) { heads_.set_pushed(pushed, now); }
  void set_pending_pushed(bool pushed, Instant now) { pending_.set_pushed(pushed, now); }
  void saw_pending(std::string_view hash, Instant now) { pending_.saw_pushed(hash, now); }
  // Waits until every new pending transaction will be reported, as long as the interest asks for them.
  // take_listening() returns the result.
  PendingSource::ListenerId await_pending(Instant now) { return pending_.await_listening(now); }
  // The node polled for its head seems stuck: polls again, without waiting for its answer.
  void restart_polling(Instant now);

  // Starts to collect what a subscriber has missed since `from`. take_history() returns it, under the
  // returned id.
  History::JobId resume(const Position& from, const HistoryNeeds& needs, Instant now);

  // Call these after each of the functions above, in this order: the later results build on the earlier
  // events. Calls taken together may be sent as one batch.
  std::vector<SourceEvent> take_events();
  std::vector<PendingSource::Listening> take_listening() { return pending_.take_listening(); }
  std::vector<History::Answer> take_history();
  std::vector<UpstreamCall> take_calls();
  // When to call on_timer.
  std::optional<Instant> next_timer() const;

  const HeadPoller::Status& head_status() const { return heads_.status(); }
  const ChainView::Status& chain_status() const { return chain_.status(); }
  const PendingSource::Status& pending_status() const { return pending_.status(); }
  const History::Status& history_status() const { return history_.status(); }
  const HeaderPtr& tip() const { return heads_.tip(); }
  bool shows(std::uint64_t number, const Hash256& hash) const { return heads_.shows(number, hash); }
  std::optional<Duration> block_time() const { return heads_.block_time(); }

 private:
  void move_heads_to_chain(Instant now);

  CallIds call_ids_;
  HeadPoller heads_;
  ChainView chain_;
  PendingSource pending_;
  SyncingSource syncing_;
  History history_;
  std::vector<Interest> interests_;  // by loop
  Instant now_{};                    // of the last call into the source
};

}  // namespace fanfare::eth
